import { createHash } from "node:crypto";
import { TRPCError } from "@trpc/server";
import { RateLimiterPostgres, RateLimiterRes } from "rate-limiter-flexible";
import { z } from "zod";
import { pools } from "../database/database";
import { clientNetwork } from "../http/client-address";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { parseArgs } from "./args";

/** Calls per minute of one identity or address. */
const perMinute = {
  uploads: () => env.RATE_LIMIT_UPLOADS,
  /** Counts uploads that begin at the store, because one upload URL can begin many. */
  directUploads: () => env.RATE_LIMIT_UPLOADS,
  signIn: () => env.RATE_LIMIT_SIGN_IN,
  http: () => env.RATE_LIMIT_HTTP,
  messages: () => env.RATE_LIMIT_MESSAGES,
  images: () => env.RATE_LIMIT_IMAGES,
  /** Counts URLs that the server fetches for a user. */
  fetches: () => env.RATE_LIMIT_FETCHES,
};

export type RateLimitName = keyof typeof perMinute;

/** All callers without a known address count as one caller, which may make this many times as many calls. */
const crowd = 100;

const limiters = new Map<string, RateLimiterPostgres>();

/** The caller, for counting. */
export interface Counted {
  /** As `tokenIdentifier`. */
  identity: string | null;
  headers: Headers;
}

/** A rate limit of the app. */
export interface RateLimit {
  /** The name of what is counted, for example `"invitations"`. */
  name: string;
  /** How many calls are allowed. */
  rate: number;
  /** The period in milliseconds, which starts with the first call. At least 1,000. */
  per: number;
  /**
   * The key by which calls are counted, for example the id of a room. By default it is the sender: the identity, or else the
   * network.
   */
  key?: string;
}

const rateLimit = z.object({
  name: z
    .string()
    .regex(/^[\w.-]{1,64}$/, { error: "write at most 64 letters, digits, dots, hyphens and underscores" }),
  rate: z.int().positive().max(1_000_000_000),
  per: z.number().min(1_000).max(31_536_000_000),
  key: z.string().optional(),
});

/**
 * Counts a call, also when it is refused or when what it does is undone. Throws `TOO_MANY_REQUESTS` when there were too many.
 * The counts are kept outside the caller's transaction, on connections of their own.
 */
export async function limitRate(limit: RateLimitName | RateLimit, { identity, headers }: Counted): Promise<void> {
  const { name, rate, per, key } =
    typeof limit === "string"
      ? { name: limit, rate: perMinute[limit](), per: 60_000, key: undefined }
      : named(parseArgs(rateLimit, limit));
  const who = key ?? identity ?? clientNetwork(headers);
  const points = rate * (who === null ? crowd : 1);
  try {
    await limiterOf(name, points, per / 1000).consume(who ?? "all");
  } catch (cause) {
    throw toRateLimited(cause);
  }
}

/** Keeps names of the app apart from those of the kit, and a key short enough for its column. */
const named = ({ name, key, ...limit }: RateLimit): RateLimit => ({
  ...limit,
  name: `app.${name}`,
  key: key === undefined ? undefined : createHash("sha256").update(key).digest("base64url"),
});

/** Counts a wrong password. Throws `TOO_MANY_REQUESTS` when there were too many in this minute for one of these. */
export async function limitSignInFailures(counted: (string | null)[]): Promise<void> {
  const limiter = limiterOf("signInFailures", perMinute.signIn());
  // Each counts, also when the first is over its limit already.
  const counts = await Promise.allSettled(counted.flatMap((who) => (who === null ? [] : limiter.consume(who))));
  for (const count of counts) if (count.status === "rejected") throw toRateLimited(count.reason);
}

/** Counts a mail to an address that a caller named. Throws `TOO_MANY_REQUESTS` when there were too many in this hour. */
export async function limitEmails(address: string): Promise<void> {
  try {
    await limiterOf("emails", limits.emailsPerHour, 60 * 60).consume(address);
  } catch (cause) {
    throw toRateLimited(cause);
  }
}

const toRateLimited = (cause: unknown): unknown =>
  cause instanceof RateLimiterRes ? new RateLimited(Math.ceil(cause.msBeforeNext / 1000)) : cause;

/** Makes a limiter that allows this many points a day. */
export const dailyCount = (name: string, points: number) => limiterOf(name, points, 24 * 60 * 60);

/** @param duration seconds */
function limiterOf(name: string, points: number, duration = 60): RateLimiterPostgres {
  const key = `${name} ${points} ${duration}`;
  const limiter = limiters.get(key) ?? createLimiter(name, points, duration);
  limiters.set(key, limiter);
  return limiter;
}

const createLimiter = (keyPrefix: string, points: number, duration: number) =>
  new RateLimiterPostgres({
    // In this form its statements have no names, which poolers would mix up.
    storeType: "client",
    storeClient: {
      query: async ({ text, values }: { text: string; values: unknown[] }) => {
        const rows = await pools.lookups.sql(text, values);
        return { rows, rowCount: rows.length };
      },
    },
    tableName: "_rate_limits",
    tableCreated: true,
    clearExpiredByTimeout: false,
    keyPrefix,
    points,
    duration,
  });

export class RateLimited extends TRPCError {
  /** @param retryAfter seconds */
  constructor(readonly retryAfter: number) {
    super({ code: "TOO_MANY_REQUESTS", message: `Too many calls; try again in ${retryAfter} s` });
  }
}
