import { channel } from "node:diagnostics_channel";
import { format } from "node:util";
import { TRPCError } from "@trpc/server";
import { v7 } from "uuid";
import { asAnswer } from "../database/errors";
import type { Kind } from "../functions/server-function";
import { UploadError } from "../storage/upload-error";
import { record } from "./function-log";
import { type Level, type Line, scope } from "./scope";
import { describeError, storable } from "./text";
import { traced } from "./tracing";

/** The call to record. */
export interface Observed {
  requestId: string;
  /** For example `messages.list`. */
  name: string;
  kind: Kind | "httpAction";
}

/** The channel on which metrics learn of ended calls. */
export const callsEnded = channel("kit.call");

/** A message on that channel. */
export interface EndedCall {
  name: string;
  kind: string;
  outcome: string;
  milliseconds: number;
}

/** Characters to keep of the message of an expected error, and of the stack of any other. */
const maxMessage = 1_000;
const maxError = 10_000;

/**
 * Runs a call as a span of a trace, and records it in the function log. Returns and throws what the call does.
 *
 * @param outcomeOf the outcome for a result; `null` when there was no call after all
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
    if (callsEnded.hasSubscribers) {
      callsEnded.publish({ name, kind, outcome, milliseconds: duration } satisfies EndedCall);
    }
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

/** The code of an error that was thrown on purpose, or that its caller causes; `null` for a bug. */
function expectedCode(error: unknown): string | null {
  if (error instanceof UploadError) return error.status < 500 ? error.code : null;
  const answer = asAnswer(error);
  return answer instanceof TRPCError && answer.code !== "INTERNAL_SERVER_ERROR" ? answer.code : null;
}

/** Lines to keep of one call, and characters of one line. */
const maxLines = 100;
const maxLineLength = 1_000;

/** Collects what a call prints, up to these limits. */
function collectLines() {
  const lines: Line[] = [];
  let more = 0;
  const add = (level: Level, text: string) =>
    lines.push({ time: performance.timeOrigin + performance.now(), level, text });
  return {
    print(level: Level, args: unknown[]): void {
      if (lines.length < maxLines) add(level, storable(format(...args), maxLineLength));
      else more += 1;
    },
    /** `null` when nothing was printed. */
    end(): Line[] | null {
      if (more > 0) add("warn", `${more} more lines are not kept: a call has ${maxLines} at most`);
      return lines.length > 0 ? lines : null;
    },
  };
}
