import { AsyncLocalStorage } from "node:async_hooks";
import { processWide } from "../process/process-wide";

/** Something that was printed. */
export interface Line {
  /** Milliseconds since the epoch, with fractions. */
  time: number;
  level: Level;
  text: string;
}

export type Level = "debug" | "info" | "warn" | "error";

/** A call of a function that is running. */
interface RunningCall {
  /** As `messages.list`. */
  function: string;
  /** How many functions it was called through. */
  depth: number;
  /** Takes what it prints. */
  print(level: Level, args: unknown[]): void;
}

/** What the code that asks runs for. */
interface Scope {
  requestId: string;
  /** The innermost call. */
  call?: RunningCall;
}

export const scope = processWide("scope", () => new AsyncLocalStorage<Scope>());
