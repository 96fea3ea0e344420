import { type Credentials, identify, type UserIdentity } from "../auth/identity";
import type { NoteReads } from "../database/db";
import { clientNetwork } from "../http/client-address";
import { publicOrigin } from "../http/origin";
import { currentRequestId } from "../log/scope";
import { limits } from "../process/limits";
import { createPlaces, type InTurn, inFairTurn } from "../process/places";
import { limitRate, type RateLimitName } from "./rate-limit";

/** Who calls a function, and through what: made once per request. */
export interface Caller {
  /** Names the request in logs and error answers. */
  requestId: string;
  /** What storage URLs start with, as `https://files.example.com`. */
  origin: string;
  /** Where it came from, for counting: see `clientNetwork`. */
  network: string | null;
  /** Who it is, found out when first asked. Throws for an invalid token. */
  identity: () => Promise<UserIdentity | null>;
  /** Counts a call of a kind. Throws `TOO_MANY_REQUESTS`. */
  limitRate: (name: RateLimitName) => Promise<void>;
  /** The tables that its queries read, by the path of the query. */
  reads: Map<string, Set<string>>;
  /** Of the query that is running, where what it reads is wanted. */
  noteReads?: NoteReads;
  /** Runs a call of the request once fewer than `limits.batchConcurrency` others of it run. */
  inTurn: InTurn;
  /** Runs a call when it is its sender's turn: see fair-turns.ts. */
  inFairTurn: InTurn;
  /** Aborted when nobody waits for the answer any more. */
  signal?: AbortSignal;
  /** The scheduled function that calls. */
  jobId?: string;
  /** How many functions called one another to come here. */
  depth: number;
}

const maxDepth = 32;

/** The caller as seen by a function that its function runs. Throws when functions call one another without end. */
export function deeper(caller: Caller): Caller {
  if (caller.depth >= maxDepth)
    throw new Error(`Functions called one another ${maxDepth} deep; do they call themselves?`);
  return { ...caller, depth: caller.depth + 1 };
}

export function createCaller(request: Credentials): Caller {
  let identity: Promise<UserIdentity | null> | undefined;
  const who = () => {
    identity ??= identify(request);
    return identity;
  };
  return {
    requestId: currentRequestId(),
    signal: request.signal,
    origin: publicOrigin(request.headers),
    network: clientNetwork(request.headers),
    depth: 0,
    reads: new Map(),
    inTurn: createPlaces(limits.batchConcurrency),
    inFairTurn: inFairTurn("calls", request.headers),
    identity: who,
    limitRate: async (name) => {
      await limitRate(name, { identity: (await who())?.tokenIdentifier ?? null, headers: request.headers });
    },
  };
}

/** The caller of a function that no request asked for. */
export const createSystemCaller = (): Caller => createCaller({ method: "GET", headers: new Headers() });
