import { clientNetwork } from "../http/client-address";
import { limits } from "../process/limits";
import { createFairPlaces, type InTurn } from "../process/places";
import { processWide } from "../process/process-wide";

const groups = processWide("fair turns", () => new Map<string, { places: FairPlaces; users: number }>());
type FairPlaces = ReturnType<typeof createFairPlaces>;

/**
 * Runs work for whoever sent a request when it is their turn: one network has so many places, and in it one session has
 * fewer. Where no network is known, all are of the same one. What is waited for is small: a flood of cheap calls of one
 * sender does not keep the others' waiting.
 *
 * @param what work of one kind holds up none of another
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

/** Whose call it says that it is; it is only to count, and need not be true. */
export function sessionOf(cookies: string | null | undefined, authorization: string | null | undefined): string {
  const [cookie = ""] = /better-auth\.session_token=[^;]*/.exec(cookies ?? "") ?? [];
  return (authorization ?? cookie).slice(-200);
}
