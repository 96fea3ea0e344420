import { format } from "node:util";
import { processWide } from "../process/process-wide";
import { shorten } from "../process/quote";
import { describeError } from "./describe-error";
import { redact } from "./redact";
import { type Level, scope } from "./scope";

const levels = { debug: "debug", log: "info", info: "info", warn: "warn", error: "error" } as const;

/**
 * Makes what functions print known to the log of calls. In production the process then prints one JSON object a line,
 * which says for which request; in development what is printed stays as it is.
 */
export function observeConsole(): void {
  processWide("console", () => {
    const isJson = process.env.NODE_ENV === "production";
    for (const [method, level] of Object.entries(levels) as [keyof typeof levels, Level][]) {
      const print = console[method].bind(console);
      console[method] = (...args: unknown[]) => {
        scope.getStore()?.call?.print(level, args);
        if (isJson) print(toJson(level, args));
        else print(...args);
      };
    }
    return true;
  });
}

/** Characters of a message in the log; of an error with its stack twice as many. */
const maxLine = 8_000;

/** A line of the log: what was printed, by which function and for which request. */
function toJson(level: Level, args: unknown[]): string {
  const { requestId, call } = scope.getStore() ?? {};
  const error = args.find((arg) => arg instanceof Error);
  const message = format(...args.filter((arg) => arg !== error));
  return JSON.stringify({
    time: new Date(),
    level,
    message: shorten(redact(shorten(message || String(error), 2 * maxLine)), maxLine),
    requestId,
    function: call?.function,
    error: error && shorten(redact(shorten(describeError(error), 4 * maxLine)), 2 * maxLine),
  });
}
