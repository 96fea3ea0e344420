import { identify, refuseForeign, type UserIdentity } from "../auth/identity";
import { asAnswer } from "../database/errors";
import { clientNetwork } from "../http/client-address";
import { type Credentials, publicOrigin } from "../http/origin";
import { currentRequestId } from "../log/scope";
import { limits } from "../process/limits";
import { createPlaces, type InTurn, inFairTurn } from "../process/places";
import { limitRate, type RateLimit, type RateLimitName } from "./rate-limit";

/** Everything that is known about a request. It is made once for the request, and passed to every function that it calls. */
export interface RequestContext {
  /** Names the request in logs and error answers. */
  requestId: string;
  /** The headers of the request. */
  headers: Headers;
  /** The public origin, which storage URLs start with, for example `https://files.example.com`. */
  origin: string;
  /** The network that the request came from, for counting: see `clientNetwork`. */
  network: string | null;
  /** The identity of the sender, read at the first call. Throws for an invalid token. */
  identity: () => Promise<UserIdentity | null>;
  /** Counts a call against a rate limit. Throws `TOO_MANY_REQUESTS`. */
  limitRate: (limit: RateLimitName | RateLimit) => Promise<void>;
  /** The tables that queries of the request read, by the path of the query. */
  reads: Map<string, Set<string>>;
  /** Records which tables the running query reads. Set only for live queries. */
  noteReads?: (tables: Iterable<string>) => void;
  /** Runs a call of the request once fewer than `limits.batchConcurrency` others of it run. */
  inTurn: InTurn;
  /** Runs a call when it is its sender's turn: see `inFairTurn` in places.ts. */
  inFairTurn: InTurn;
  /** Aborted when the response is not wanted any more. */
  signal?: AbortSignal;
  /** Set when a scheduled function runs. */
  jobId?: string;
  /** How many functions the current one is nested in. */
  depth: number;
}

const maxDepth = 32;

/** The context for a function that the current one calls. Throws when functions are nested too deeply. */
export function deeper(context: RequestContext): RequestContext {
  if (context.depth >= maxDepth)
    throw new Error(`Functions are nested more than ${maxDepth} deep. Is there an endless loop?`);
  return { ...context, depth: context.depth + 1 };
}

export function createRequestContext(request: Credentials): RequestContext {
  let identity: Promise<UserIdentity | null> | undefined;
  const who = () => {
    identity ??= identify(request);
    return identity;
  };
  return {
    requestId: currentRequestId(),
    signal: request.signal,
    headers: request.headers,
    origin: publicOrigin(request.headers),
    network: clientNetwork(request.headers),
    depth: 0,
    reads: new Map(),
    inTurn: createPlaces(limits.batchConcurrency),
    inFairTurn: inFairTurn("calls", request.headers),
    identity: who,
    limitRate: async (limit) => {
      await limitRate(limit, { identity: (await who())?.tokenIdentifier ?? null, headers: request.headers });
    },
  };
}

/**
 * Refuses a call whose sender may not act for the identity that it names, even when no function reads the identity: with the
 * cookie of a visitor of this app on a page of another site, or with a token that is not valid.
 */
export async function refuseWrongSender(request: Credentials, { identity }: RequestContext): Promise<void> {
  refuseForeign(request);
  if (!request.headers.has("authorization")) return;
  await identity().catch((error) => {
    throw asAnswer(error);
  });
}

/** The context of a function that no request calls, such as a job. */
export const createSystemContext = (): RequestContext =>
  createRequestContext({ method: "GET", headers: new Headers() });
