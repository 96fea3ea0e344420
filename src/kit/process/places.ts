import { TRPCError } from "@trpc/server";
import { clientNetwork } from "../http/client-address";
import { limits } from "./limits";
import { processWide } from "./process-wide";

/** Runs work once there is a place for it. */
export type InTurn = <R>(work: () => Promise<R>) => Promise<R>;

/**
 * Limits how much work runs at once. Other work waits for its turn.
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
 * Limits how much work runs at once, in total and for each name. Names take turns for the next free place, so a name with
 * much work waits behind its own work, and delays others by one place at most.
 *
 * @param atOnce how much runs for all names together
 * @param each how much runs for one name; the empty name stands for all unknown senders, and has as much as all together
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
    // The line moves behind all others, which come first next time.
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

const groups = processWide("fair turns", () => new Map<string, { places: FairPlaces; users: number }>());
type FairPlaces = ReturnType<typeof createFairPlaces>;

/**
 * Runs work for the sender of a request in turn: each network has a number of places, and each session in it has fewer.
 * Senders whose network is unknown share one. A flood of cheap calls from one sender does not delay the calls of others.
 *
 * @param what the kind of work; kinds do not delay each other
 */
export function inFairTurn(what: string, headers: Headers): InTurn {
  const network = `${what} ${clientNetwork(headers) ?? ""}`;
  const session = sessionOf(headers.get("cookie"), headers.get("authorization"));
  return async (work) => {
    const group = groups.get(network) ?? {
      places: createFairPlaces(limits.networkConcurrency, limits.sessionConcurrency, limits.networkWaiting),
      users: 0,
    };
    groups.set(network, group);
    group.users += 1;
    try {
      return await group.places(session, work);
    } finally {
      group.users -= 1;
      if (group.users === 0) groups.delete(network);
    }
  };
}

/** The session that a request claims to belong to. It is only used for counting, so it is not verified. */
export function sessionOf(cookies: string | null | undefined, authorization: string | null | undefined): string {
  const [cookie = ""] = /better-auth\.session_token=[^;]*/.exec(cookies ?? "") ?? [];
  return (authorization ?? cookie).slice(-200);
}
