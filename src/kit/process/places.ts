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
    else throw tooBusy();
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}

interface Line {
  running: number;
  waiting: (() => void)[];
}

/**
 * The same for many who come by a name: each has so many places, all of them together have more, and whoever waits gets
 * the next one in turns by name. So one who asks for much waits behind themselves, and holds up others by a place at most.
 *
 * @param atOnce how much runs for all of them
 * @param each how much runs for one of them; for the nameless, who count as one, as much as for all
 * @param mostWaiting how much may wait; more is refused with `TOO_MANY_REQUESTS`
 */
export function createFairPlaces(atOnce: number, each: number, mostWaiting: number) {
  const lines = new Map<string, Line>();
  let running = 0;
  let waiting = 0;

  const isFull = (name: string, line: Line) => line.running >= (name === "" ? atOnce : each);

  function letNext(): void {
    for (const [name, line] of lines) {
      if (running >= atOnce) return;
      const go = isFull(name, line) ? undefined : line.waiting.shift();
      if (!go) continue;
      waiting -= 1;
      start(name, line);
      go();
    }
  }

  function start(name: string, line: Line): void {
    running += 1;
    line.running += 1;
    // Behind all others, who come first next time.
    lines.delete(name);
    lines.set(name, line);
  }

  return async function inTurn<R>(name: string, work: () => Promise<R>): Promise<R> {
    const line = lines.get(name) ?? { running: 0, waiting: [] };
    lines.set(name, line);
    if (running < atOnce && !isFull(name, line)) start(name, line);
    else if (waiting < mostWaiting) {
      waiting += 1;
      await new Promise<void>((go) => line.waiting.push(go));
    } else throw tooBusy();
    try {
      return await work();
    } finally {
      running -= 1;
      line.running -= 1;
      if (line.running === 0 && line.waiting.length === 0) lines.delete(name);
      letNext();
    }
  };
}

const tooBusy = () =>
  new TRPCError({ code: "TOO_MANY_REQUESTS", message: "The server is busy. Try again in a moment." });
