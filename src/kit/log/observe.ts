import { TRPCError } from "@trpc/server";
import { v7 } from "uuid";
import { DatabaseUnavailable } from "../database/database-unavailable";
import type { Kind } from "../functions/server-function";
import { UploadError } from "../storage/upload/upload-error";
import { record } from "./call-log";
import { collectLines, storable } from "./collect-lines";
import { describeError } from "./describe-error";
import { scope } from "./scope";
import { traced } from "./traced";

/** What is called. */
export interface Observed {
  requestId: string;
  /** As `messages.list`. */
  name: string;
  kind: Kind | "httpAction";
}

/** Characters of an error: of one that was to be expected its message, of any other its stack. */
const maxMessage = 1_000;
const maxError = 10_000;

/**
 * Runs a call of a function and records how it went: what it returns and throws comes out as it is.
 *
 * @param outcomeOf its result; `null` when it turns out not to have been a call
 */
export async function observe<R>(
  { requestId, name, kind }: Observed,
  run: () => Promise<R>,
  outcomeOf: (result: R) => string | null = () => "ok",
): Promise<R> {
  const depth = (scope.getStore()?.call?.depth ?? -1) + 1;
  const { print, end } = collectLines();
  const started = performance.now();
  const finish = (outcome: string | null, error: string | null) => {
    const duration = performance.now() - started;
    if (outcome === null) return;
    record({
      _id: v7(),
      time: new Date().toISOString(),
      requestId,
      function: name,
      kind,
      depth,
      outcome,
      duration,
      lines: end(),
      error,
    });
  };
  try {
    const result = await scope.run({ requestId, call: { function: name, depth, print } }, () =>
      traced(`${kind} ${name}`, { "request.id": requestId }, run),
    );
    finish(outcomeOf(result), null);
    return result;
  } catch (error) {
    const code = expectedCode(error);
    const text = code && error instanceof Error ? error.message : describeError(error);
    finish(code ?? "INTERNAL_SERVER_ERROR", storable(text, code ? maxMessage : maxError));
    throw error;
  }
}

/** The code of an error that tells its caller what to do; `null` of one that nobody meant to throw. */
function expectedCode(error: unknown): string | null {
  if (error instanceof DatabaseUnavailable) return "SERVICE_UNAVAILABLE";
  if (error instanceof UploadError) return error.status < 500 ? error.code : null;
  return error instanceof TRPCError && error.code !== "INTERNAL_SERVER_ERROR" ? error.code : null;
}
