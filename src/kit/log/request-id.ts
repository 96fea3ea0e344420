import { randomUUID } from "node:crypto";
import { env } from "../process/env";
import { scope } from "./scope";

/** Handles each request under an id, which is in its answer as `X-Request-Id` and in all that is logged for it. */
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

/** The id under which Vercel, or the proxy that is trusted, logs the request: anybody else may write anything there. */
function idFromHost(headers: Headers): string | null {
  const name = process.env.VERCEL === "1" ? "x-vercel-id" : env.TRUST_PROXY > 0 ? "x-request-id" : null;
  const id = name && headers.get(name);
  return id && /^[\w:.-]{1,128}$/.test(id) ? id : null;
}
