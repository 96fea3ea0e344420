import { TRPCError } from "@trpc/server";
import { RateLimiterRes } from "rate-limiter-flexible";
import { tokenIdentifier } from "../auth/issuers";
import { lookups, maintenance, pools, prisma } from "../database/database";
import { readDb } from "../database/db";
import { alone } from "../database/transaction";
import { dailyCount } from "../functions/rate-limit";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { processWide } from "../process/process-wide";
import { blobs } from "./blobs";
import { storageOptions } from "./options";
import { UploadError } from "./upload-error";

// How much is stored, and how much more may be.

/** The sender of a file. */
export interface Storer {
  /** As `tokenIdentifier`. */
  owner?: string;
  /** The network that the request came from: see `clientNetwork`. */
  network: string | null;
  /** The app itself stores the file, in a job. Only the limits of the disk apply. */
  isApp?: boolean;
}

/** What a sender may still store. */
export interface Allowance {
  /** Bytes. Uploads that run at the same time do not see each other, so together they may exceed it. */
  remaining: number;
  /** Makes the error for an upload that exceeds `remaining`. */
  refusal: () => UploadError;
  /** Counts bytes that were sent, or will be. Throws when they are too many for a sender without an account. */
  count(bytes: number): Promise<void>;
  /** Counts bytes that are now stored. */
  stored(bytes: number): void;
}

/**
 * Returns what a sender may still store. Each identity has its quota. A person can come as any number of visitors, so there are
 * also limits on what all senders without an account store together, and on what one network sends in a day.
 * @throws UploadError `StorageTokenExpired` when the owner's account was deleted
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

/** What an identity stores. */
export interface Usage {
  files: number;
  bytes: number;
}

/** Counts the files of an identity. This uses other connections than the caller's transaction. */
export async function usageOf(identity: string): Promise<Usage> {
  const [row] = await pools.lookups.sql<{ files: string; bytes: string }>(
    `SELECT count(*)::text AS "files", coalesce(sum("size"), 0)::text AS "bytes" FROM "_storage" WHERE "owner" = $1`,
    [identity],
  );
  return { files: Number(row?.files ?? 0), bytes: Number(row?.bytes ?? 0) };
}

/** Throws when `owner` may not own this many more bytes. Claims that run at the same time do not see each other. */
export async function refuseOverQuota(owner: string, bytes: number): Promise<void> {
  const { remaining, quota } = await lookUp(owner);
  if (bytes <= remaining) return;
  const message = `Taking this upload would exceed your ${quota} bytes; delete files first`;
  throw new TRPCError({ code: "PAYLOAD_TOO_LARGE", message });
}

async function lookUp(owner: string | undefined) {
  if (owner === undefined) return { hasAccount: false, remaining: Number.POSITIVE_INFINITY };
  const quota = await quotaOf(owner);
  const [row] = await pools.lookups.sql<{ used: string; isAccount: boolean | null; isDeleted: boolean }>(
    `SELECT (
        (SELECT coalesce(sum("size"), 0) FROM "_storage" WHERE "owner" = $1)
        + (SELECT coalesce(sum("size"), 0) FROM "_unfinished_uploads" WHERE "owner" = $1)
      )::text AS "used",
      (SELECT "isAnonymous" IS NOT TRUE FROM "_users" WHERE "_id" = $2) AS "isAccount",
      EXISTS (SELECT FROM "_adoptions" WHERE "from" = $1 AND "to" IS NULL) AS "isDeleted"`,
    [owner, userIdOf(owner)],
  );
  if (row?.isDeleted) throw UploadError.ownerDeleted();
  return {
    // A user of another issuer has an account there. A user of this app who has no row was deleted.
    hasAccount: row?.isAccount ?? userIdOf(owner) === null,
    remaining: Math.max(0, quota - Number(row?.used ?? 0)),
    quota,
  };
}

/** Does not use the pool for functions, because the caller may hold one of its connections. */
const readCommitted = readDb({ ...alone, run: (statement) => Promise.resolve(statement(lookups)) });

async function quotaOf(owner: string): Promise<number> {
  const { quota } = await storageOptions();
  const bytes = (await quota?.({ db: readCommitted }, owner)) ?? env.STORAGE_QUOTA;
  if (bytes >= 0) return bytes;
  throw new Error(`storage.quota returned ${bytes}. Return a number of bytes, or null for STORAGE_QUOTA.`);
}

/** `null` for a user of another issuer. */
const userIdOf = (owner: string) =>
  owner.startsWith(tokenIdentifier("")) ? owner.slice(tokenIdentifier("").length) : null;

/** Counts KiB, because the bytes of a day do not fit into the column of the rate limiter. */
const today = () => dailyCount("storedKiB", Math.floor(limits.networkBytesPerDay / 1024));

async function remainingToday(network: string): Promise<number> {
  const counted = await today().get(network);
  return counted ? Math.max(0, counted.remainingPoints * 1024) : limits.networkBytesPerDay;
}

/** What all senders without an account store: the last count of the database, and what this process stored since then. */
const withoutAccount = processWide("storage without an account", () => ({
  bytes: 0,
  /** When to count again, in milliseconds since the epoch. */
  countAgainAt: 0,
  counting: undefined as Promise<void> | undefined,
}));

async function remainingWithoutAccount(): Promise<number> {
  if (Date.now() >= withoutAccount.countAgainAt) {
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

/** Reads every file of these senders, so a count is used for a hundred times as long as it took, and at least a minute. */
async function countWithoutAccount(): Promise<void> {
  const started = Date.now();
  const [row] = await pools.upkeep.sql<{ bytes: string }>(
    `SELECT coalesce(sum("size"), 0)::text AS "bytes"
     FROM (SELECT "owner", "size" FROM "_storage" UNION ALL SELECT "owner", "size" FROM "_unfinished_uploads") AS kept
     WHERE "owner" IS NULL
       OR (starts_with("owner", $1)
         AND "owner" NOT IN (SELECT $1 || "_id" FROM "_users" WHERE "isAnonymous" IS NOT TRUE))`,
    [tokenIdentifier("")],
  );
  withoutAccount.bytes = Number(row?.bytes ?? 0);
  withoutAccount.countAgainAt = Date.now() + Math.max(60_000, 100 * (Date.now() - started));
}

/** How many files there are, and the sum of their bytes. Triggers on `_storage` keep these sums, so reading them is cheap. */
export async function readTotals(): Promise<{ files: number; bytes: number }> {
  const { _sum } = await prisma.storageTotal.aggregate({ _sum: { files: true, bytes: true } });
  return { files: Number(_sum.files ?? 0), bytes: Number(_sum.bytes ?? 0) };
}

/** Replaces the rows that statements have added to the totals by one row. Several may run at once. */
export async function compactTotals(): Promise<void> {
  await maintenance.$executeRaw`
    WITH folded AS (DELETE FROM "_storage_totals" RETURNING "files", "bytes")
    INSERT INTO "_storage_totals" ("files", "bytes")
    SELECT sum("files"), sum("bytes") FROM folded HAVING count(*) > 0`;
}
