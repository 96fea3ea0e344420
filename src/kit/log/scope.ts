import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import { env, onVercel } from "../process/env";
import { processWide } from "../process/process-wide";

/** A line that a call printed. */
export interface Line {
  /** Milliseconds since the epoch, with fractions. */
  time: number;
  level: Level;
  text: string;
}

export type Level = "debug" | "info" | "warn" | "error";

/** A call of a function that is running. */
interface RunningCall {
  /** For example `messages.list`. */
  function: string;
  /** How many functions it is nested in. */
  depth: number;
  /** Receives what it prints. */
  print(level: Level, args: unknown[]): void;
}

/** The request, and the call, that the current code runs for. */
interface Scope {
  requestId: string;
  /** The innermost call. */
  call?: RunningCall;
}

export const scope = processWide("scope", () => new AsyncLocalStorage<Scope>());

/** Gives each request an id, which its response has as `X-Request-Id` and every line in the log names. */
export function withRequestId(handle: (request: Request) => Response | Promise<Response>) {
  return async (request: Request): Promise<Response> => {
    const requestId = idFromHost(request.headers) ?? randomUUID();
    const response = await scope.run({ requestId }, () => handle(request));
    response.headers.set("X-Request-Id", requestId);
    return response;
  };
}

/** The id of the request that is being handled, or a new one. */
export const currentRequestId = (): string => scope.getStore()?.requestId ?? randomUUID();

/** The id under which Vercel or a trusted proxy logs the request. Without either, a client may have written the header. */
function idFromHost(headers: Headers): string | null {
  const name = onVercel() ? "x-vercel-id" : env.TRUST_PROXY > 0 ? "x-request-id" : null;
  const id = name && headers.get(name);
  return id && /^[\w:.-]{1,128}$/.test(id) ? id : null;
}

/** Logs an unexpected error of a request. `name` is the function, when it is known. */
export function reportFailure(requestId: string, name: string | undefined, error: unknown): void {
  const call = name === undefined ? undefined : { function: name, depth: 0, print: () => undefined };
  scope.run({ requestId, call }, () => console.error(`Request ${requestId} to ${name} failed:`, error));
}
