import { TRPCError } from "@trpc/server";
import { RateLimiterRes } from "rate-limiter-flexible";
import { tokenIdentifier } from "../auth/issuers";
import { lookups, pools } from "../database/database";
import { dailyCount } from "../functions/rate-limit";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { processWide } from "../process/process-wide";
import { blobs } from "./driver";
import { UploadError } from "./upload/upload-error";

/** Who stores a file. */
export interface Storer {
  /** As `tokenIdentifier`. */
  owner?: string;
  /** Where they call from: see `clientNetwork`. */
  network: string | null;
  /** The app itself stores, in a job: then nobody's limits apply but the disk's. */
  isApp?: boolean;
}

/** What somebody may still store. */
export interface Allowance {
  /** Bytes. Uploads that run side by side do not see each other, so that they may exceed it together. */
  remaining: number;
  /** Why more is refused. */
  refusal: () => UploadError;
  /** Counts bytes that came, or that will. Throws when they are too many for whoever has no account. */
  count(bytes: number): Promise<void>;
  /** Counts bytes that are stored now. */
  stored(bytes: number): void;
}

/**
 * What somebody may still store. An identity has its quota. Behind a visitor nobody can be found, and they can come as as
 * many as they like: what all of them store together is bounded too, and what one network sends in a day.
 */
export async function allowanceOf({ owner, network, isApp = false }: Storer): Promise<Allowance> {
  if (isApp) return { remaining: Number.POSITIVE_INFINITY, refusal: UploadError.full, ...uncounted };
  const { hasAccount, remaining } = await lookUp(owner);
  const ofQuota = { remaining, refusal: () => UploadError.tooLarge(remaining) };
  if (hasAccount) return { ...ofQuota, ...uncounted };
  const ofAll = { remaining: await remainingWithoutAccount(), refusal: UploadError.full };
  const ofNetwork = {
    remaining: network === null ? Number.POSITIVE_INFINITY : await remainingToday(network),
    refusal: UploadError.overAllowance,
  };
  const [least] = [ofQuota, ofAll, ofNetwork].sort((one, other) => one.remaining - other.remaining) as [typeof ofQuota];
  return {
    ...least,
    async count(bytes) {
      if (network === null) return;
      try {
        await today().consume(network, Math.ceil(bytes / 1024));
      } catch (cause) {
        if (!(cause instanceof RateLimiterRes)) throw cause;
        throw UploadError.overAllowance();
      }
    },
    stored(bytes) {
      withoutAccount.bytes += bytes;
    },
  };
}

const uncounted = { count: async () => undefined, stored: () => undefined };

/** Refuses that `owner` takes files of so many bytes that nobody owned before. Claims side by side do not see each other. */
export async function refuseOverQuota(owner: string, bytes: number): Promise<void> {
  if (bytes <= (await lookUp(owner)).remaining) return;
  const message = `Taking this upload would exceed your ${env.STORAGE_QUOTA} bytes; delete files first`;
  throw new TRPCError({ code: "PAYLOAD_TOO_LARGE", message });
}

async function lookUp(owner: string | undefined): Promise<{ hasAccount: boolean; remaining: number }> {
  if (owner === undefined) return { hasAccount: false, remaining: Number.POSITIVE_INFINITY };
  const [row] = await lookups.$queryRaw<{ used: string; isAccount: boolean | null }[]>`
    SELECT (SELECT coalesce(sum("size"), 0)::text FROM "_storage" WHERE "owner" = ${owner}) AS "used",
      (SELECT "isAnonymous" IS NOT TRUE FROM "_users" WHERE "_id" = ${userIdOf(owner)}) AS "isAccount"`;
  return {
    // Whoever has a token of another issuer has an account there. One of ours may be deleted by now.
    hasAccount: row?.isAccount ?? userIdOf(owner) === null,
    remaining: Math.max(0, env.STORAGE_QUOTA - Number(row?.used ?? 0)),
  };
}

/** `null` for a user of another issuer. */
const userIdOf = (owner: string) =>
  owner.startsWith(tokenIdentifier("")) ? owner.slice(tokenIdentifier("").length) : null;

/** Of a day, in KiB: a day's bytes are too many for the column that counts. */
const today = () => dailyCount("storedKiB", Math.floor(limits.networkBytesPerDay / 1024));

async function remainingToday(network: string): Promise<number> {
  const counted = await today().get(network);
  return counted ? Math.max(0, counted.remainingPoints * 1024) : limits.networkBytesPerDay;
}

/** What those without an account have stored together, as it was counted last, and what this process took since. */
const withoutAccount = processWide("storage without an account", () => ({
  bytes: 0,
  /** Milliseconds since the epoch: when to count again. */
  countAgain: 0,
  counting: undefined as Promise<void> | undefined,
}));

async function remainingWithoutAccount(): Promise<number> {
  if (Date.now() >= withoutAccount.countAgain) {
    withoutAccount.counting ??= countWithoutAccount().finally(() => {
      withoutAccount.counting = undefined;
    });
    await withoutAccount.counting;
  }
  const { bytes } = withoutAccount;
  const space = await blobs.space?.().catch(() => null);
  const most = Math.min(limits.bytesWithoutAccount, space ? (space.free + bytes) / 2 : Number.POSITIVE_INFINITY);
  return Math.max(0, Math.floor(most - bytes));
}

/** It looks at every file of those, so the longer it took, the longer it counts. */
async function countWithoutAccount(): Promise<void> {
  const started = Date.now();
  const [row] = await pools.upkeep.sql<{ bytes: string }>(
    `SELECT coalesce(sum("size"), 0)::text AS "bytes" FROM "_storage" WHERE "owner" IS NULL
       OR (starts_with("owner", $1)
         AND "owner" NOT IN (SELECT $1 || "_id" FROM "_users" WHERE "isAnonymous" IS NOT TRUE))`,
    [tokenIdentifier("")],
  );
  withoutAccount.bytes = Number(row?.bytes ?? 0);
  withoutAccount.countAgain = Date.now() + Math.max(60_000, 100 * (Date.now() - started));
}
