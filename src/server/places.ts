import { TRPCError } from "@trpc/server";

/** Runs work once there is a place for it. */
export type InTurn = <R>(work: () => Promise<R>) => Promise<R>;

/**
 * Lets so much work run at once; what comes meanwhile waits for its turn.
 *
 * @param mostWaiting how much may wait; more is refused with `TOO_MANY_REQUESTS`
 */
export function createPlaces(atOnce: number, mostWaiting = Number.POSITIVE_INFINITY): InTurn {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running < atOnce) running += 1;
    else if (waiting.length < mostWaiting) await new Promise<void>((go) => waiting.push(go));
    else throw new TRPCError({ code: "TOO_MANY_REQUESTS", message: "The server is busy. Try again in a moment." });
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
