import { channel } from "node:diagnostics_channel";
import { z } from "zod";
import { Prisma } from "~/generated/prisma/client";
import { type Client, maintenance, prisma } from "../database/database";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { blobs } from "./blobs";
import { allowWrite, listDeleted, removeFromList, takeDueBlobs } from "./ownership";
import { findLooselyReferenced, findReferences, type LooseReference, type Reference, unreferenced } from "./references";
import { ForeignStore, refuseForeignStore } from "./store-id";

// Garbage collection has two steps: it deletes unreferenced files, and it deletes the bytes that no file owns.

/** The channel on which metrics learn what was deleted. */
export const blobsDeleted = channel("kit.deleted");

/** A message on that channel. */
export interface Deleted {
  what: "files" | "blobs";
  count: number;
  bytes: number;
}

/** Files that one transaction deletes. */
const fileBatch = 500;
/** Files that one run deletes at most, so that their ids fit into memory. */
const filesPerRun = 100_000;
/** Blobs that are deleted at the same time. */
const blobBatch = 100;

/** How many files were deleted, or would be. */
interface FileCount {
  files: number;
  /** The size of these files. */
  bytes: number;
}

interface CollectedFiles extends FileCount {
  /** Whether the files were only counted, as in the first run on a production database. */
  reportOnly: boolean;
}

/** Deletes unreferenced files, and then the bytes that no file owns. */
export async function collectGarbage(): Promise<CollectedFiles & { blobs: number }> {
  const collected = await collectFiles();
  await forgetUsedUploadUrls();
  await forgetUnfinishedUploads();
  return { ...collected, blobs: await deleteUnownedBlobs() };
}

/** Deletes unreferenced files. In a production database the runs of the first day only count them. */
export async function collectFiles(): Promise<CollectedFiles> {
  const reportOnly = process.env.NODE_ENV === "production" && (await isFirstDay());
  const collected = await (reportOnly ? countUnreferenced() : deleteUnreferenced());
  if (reportOnly && collected.files > 0) {
    console.warn(
      `Nothing refers to ${collected.files} files (${collected.bytes} bytes). This first sweep leaves them; the next, a ` +
        "day from now or later, deletes them. `npm run kit -- sweep --dry-run` lists them.",
    );
  }
  return { ...collected, reportOnly };
}

/** Whether the first run on this database was less than a day ago. That gives an operator time to read its report. */
async function isFirstDay(): Promise<boolean> {
  const [state] = await prisma.$queryRaw<{ first: boolean }[]>`
    INSERT INTO "_system_state" ("key", "value") VALUES ('firstSweep', to_jsonb(now()))
    ON CONFLICT ("key") DO UPDATE SET "value" = "_system_state"."value"
    RETURNING ("value" #>> '{}')::timestamptz > now() - interval '1 day' AS first`;
  return state?.first ?? true;
}

/** Counts the unreferenced files that are older than the grace period. */
export async function countUnreferenced(): Promise<FileCount> {
  const [row] = await maintenance.$queryRaw<FileCount[]>`
    SELECT count(*)::int AS files, coalesce(sum(s."size"), 0)::float AS bytes FROM "_storage" s
    WHERE ${await isGarbage()}`;
  return row ?? { files: 0, bytes: 0 };
}

/** The ids of the first `limit` of these files, oldest first. */
export async function listUnreferenced(limit: number): Promise<string[]> {
  const rows = await maintenance.$queryRaw<{ id: string }[]>`
    SELECT s."_id"::text AS id FROM "_storage" s WHERE ${await isGarbage()}
    ORDER BY s."_creationTime", s."_id" LIMIT ${limit}`;
  return rows.map(({ id }) => id);
}

/**
 * Deletes these files as `ctx.storage.delete` does: their rows now, their bytes when `deleteUnownedBlobs` runs. Leaves files
 * that a column without a foreign key names. One run looks at the 100,000 oldest files at most. Several may run at once.
 */
export async function deleteUnreferenced(): Promise<FileCount> {
  await refuseForeignStore();
  const candidates = await listUnreferenced(filesPerRun);
  const { named, columns } = await findLooselyReferenced(candidates);
  await reportLooseReferences(columns);
  const references = await findReferences(maintenance);
  const ids = candidates.filter((id) => !named.has(id));
  const deleted = { files: 0, bytes: 0 };
  for (let start = 0; start < ids.length; start += fileBatch) {
    const { files, bytes } = await maintenance.$transaction(
      (client) => deleteBatch(client as Client, references, ids.slice(start, start + fileBatch)),
      { maxWait: 60_000, timeout: 5 * 60_000 },
    );
    deleted.files += files;
    deleted.bytes += bytes;
  }
  if (blobsDeleted.hasSubscribers) {
    blobsDeleted.publish({ what: "files", count: deleted.files, bytes: deleted.bytes } satisfies Deleted);
  }
  return deleted;
}

async function deleteBatch(client: Client, references: Reference[], ids: string[]): Promise<FileCount> {
  // The rows are locked first and checked again afterwards, against what is committed by then. From the lock on no row can
  // start to reference these files. A file that a running transaction has just referenced is skipped.
  const locked = await client.$queryRaw<{ id: string }[]>`
    SELECT s."_id"::text AS id FROM "_storage" s
    WHERE s."_id" = ANY(${ids}::uuid[]) AND ${await isGarbage(references)}
    ORDER BY s."_id" FOR UPDATE SKIP LOCKED`;
  const [row] = await client.$queryRaw<FileCount[]>`
    WITH ${allowWrite("*")},
    gone AS (
      DELETE FROM "_storage" s USING permit
      WHERE s."_id" = ANY(${locked.map(({ id }) => id)}::uuid[]) AND ${await isGarbage(references)}
      RETURNING s.*
    ),
    listed AS (${listDeleted(false)})
    SELECT count(*)::int AS files, coalesce(sum("size"), 0)::float AS bytes FROM gone`;
  return row ?? { files: 0, bytes: 0 };
}

/** An SQL condition: the file `s` is old enough, no row references it, and the arguments of no job name it. */
async function isGarbage(references?: Reference[]): Promise<Prisma.Sql> {
  const old = Prisma.sql`coalesce(s."restoredAt", s."_creationTime") < now() - make_interval(hours => ${env.UNREFERENCED_GRACE_HOURS})`;
  // With NOT IN, PostgreSQL would read all arguments again for each file once they do not fit into work_mem.
  const unnamed = Prisma.sql`NOT EXISTS (
    SELECT FROM "_scheduled_functions" AS job,
      regexp_matches(job."args"::text, '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}', 'g') AS id
    WHERE job."state" IN ('pending', 'inProgress') AND lower(id[1]) = s."_id"::text
  )`;
  return Prisma.sql`${old} AND ${unnamed} AND ${unreferenced(references ?? (await findReferences(maintenance)))}`;
}

const looseReferencesKey = "looseReferences";

/** Warns about columns that keep files without a foreign key, and stores them for the dashboard. */
async function reportLooseReferences(columns: LooseReference[]): Promise<void> {
  for (const { column, files } of columns) {
    console.warn(
      `${column} names ${files} files without a foreign key to _storage. They are not collected, and deleting them leaves ` +
        "the column as it is; add the foreign key.",
    );
  }
  const value = columns.map(({ column, files }) => ({ column, files }));
  const key = looseReferencesKey;
  await maintenance.systemState.upsert({ where: { key }, create: { key, value }, update: { value } });
}

/** The columns that the last run reported. */
export async function readLooseReferences(): Promise<LooseReference[]> {
  const state = await prisma.systemState.findUnique({ where: { key: looseReferencesKey } });
  return state ? z.array(z.object({ column: z.string(), files: z.number() })).parse(state.value) : [];
}

/** Forgets upload URLs that made their file and have expired since. */
export async function forgetUsedUploadUrls(): Promise<number> {
  return maintenance.$executeRaw`DELETE FROM "_spent_uploads" WHERE "expiresAt" < now()`;
}

/** Forgets uploads that were not completed in time. Their blobs are listed, and deleted as those of failed uploads. */
export async function forgetUnfinishedUploads(): Promise<number> {
  return maintenance.$executeRaw`DELETE FROM "_unfinished_uploads" WHERE "expiresAt" < now()`;
}

/**
 * Deletes the bytes that no file owns: those of deleted files and of failed uploads. Removes a blob from the list only after
 * its bytes are gone, so that a crash loses nothing. Several may run at once. Returns how many blobs it deleted.
 *
 * @param boundsKept whether to check that the bytes of deleted files stay within their bounds, which reads all of their rows
 */
export async function deleteUnownedBlobs({ boundsKept = true } = {}): Promise<number> {
  await refuseForeignStore();
  if (boundsKept) await boundKeptBytes();
  let count = 0;
  const failures: unknown[] = [];
  for (;;) {
    const taken = await takeDueBlobs(prisma, blobBatch);
    const outcomes = await Promise.allSettled(taken.map((blobKey) => blobs.delete(blobKey)));
    const deleted = taken.filter((_, index) => outcomes[index]?.status === "fulfilled");
    failures.push(...outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : [])));
    if (deleted.length > 0) await removeFromList(prisma, deleted);
    count += deleted.length;
    // A store that deletes none of a batch is down, so the other batches wait.
    if (taken.length < blobBatch || deleted.length === 0) break;
  }
  if (blobsDeleted.hasSubscribers) blobsDeleted.publish({ what: "blobs", count, bytes: 0 } satisfies Deleted);
  // Blobs that could not be deleted stay listed, and are due again in ten minutes.
  if (failures.length > 0) throw new Error(`Could not delete ${failures.length} blobs`, { cause: failures[0] });
  return count;
}

/**
 * Lets bytes of deleted files go before their time, oldest first, to stay within two bounds: `STORAGE_QUOTA` for what each owner
 * stores and has deleted together, and the share of the disk that stays free.
 */
async function boundKeptBytes(): Promise<void> {
  await prisma.$executeRaw`
    WITH kept AS (
      SELECT "blobKey", "owner", sum("size") OVER (PARTITION BY "owner" ORDER BY "deletedAt" DESC, "blobKey") AS bytes
      FROM "_unowned_blobs" WHERE "file" IS NOT NULL AND "owner" IS NOT NULL AND "deleteAfter" > now()
    ), stored AS (
      SELECT "owner", coalesce((SELECT sum("size") FROM "_storage" WHERE "_storage"."owner" = owners."owner"), 0) AS bytes
      FROM (SELECT DISTINCT "owner" FROM kept) AS owners
    )
    UPDATE "_unowned_blobs" SET "deleteAfter" = now()
    WHERE "blobKey" IN (
      SELECT "blobKey" FROM kept JOIN stored USING ("owner") WHERE kept.bytes + stored.bytes > ${env.STORAGE_QUOTA}
    )`;
  const space = await blobs.space?.();
  const missing = space ? space.total * limits.diskReserve - space.free : 0;
  if (missing <= 0) return;
  await prisma.$executeRaw`
    UPDATE "_unowned_blobs" SET "deleteAfter" = now() WHERE "blobKey" IN (
      SELECT "blobKey" FROM (
        SELECT "blobKey", sum("size") OVER (ORDER BY "deletedAt", "blobKey") - "size" AS before
        FROM "_unowned_blobs" WHERE "file" IS NOT NULL AND "deleteAfter" > now()
      ) AS kept WHERE before < ${missing}
    )`;
}

/** How often deletions check the bounds of kept bytes at most. Housekeeping checks them each hour, too. */
const boundsIntervalMs = 60_000;
let boundsCheckedAt = 0;

/** Deletes the bytes that no file owns in the background. What fails is tried again by the next run. */
export function deleteUnownedBlobsSoon(): void {
  const boundsKept = Date.now() - boundsCheckedAt > boundsIntervalMs;
  if (boundsKept) boundsCheckedAt = Date.now();
  deleteUnownedBlobs({ boundsKept }).catch((error) => {
    // The start and each housekeeping run report a foreign store already.
    if (!(error instanceof ForeignStore)) console.error("Could not delete unowned blobs, will try again:", error);
  });
}

/** What the next garbage collection would delete. */
const previewSchema = z.object({
  files: z.number(),
  /** The size of these files. */
  bytes: z.number(),
  /** The ids of the first of these files, oldest first. */
  ids: z.string().array(),
  /** Blobs of deleted files and failed uploads that are due. */
  blobs: z.number(),
  /** When this was computed, in milliseconds since the epoch. */
  at: z.number(),
});

const previewKey = "sweepPreview";
/** Ids in a preview. */
const previewIds = 100;

/** Computes what a garbage collection would delete now, and stores it for `readGarbagePreview`. Takes seconds per million files. */
export async function previewGarbage(): Promise<void> {
  const value = {
    ...(await countUnreferenced()),
    ids: await listUnreferenced(previewIds),
    blobs: await maintenance.unownedBlob.count({ where: { deleteAfter: { lte: new Date() } } }),
    at: Date.now(),
  } satisfies z.infer<typeof previewSchema>;
  const key = previewKey;
  await prisma.systemState.upsert({ where: { key }, create: { key, value }, update: { value } });
}

/** The last preview; `null` before the first one. */
export async function readGarbagePreview(): Promise<z.infer<typeof previewSchema> | null> {
  const state = await prisma.systemState.findUnique({ where: { key: previewKey } });
  return state && previewSchema.parse(state.value);
}

/** A deleted file whose bytes are still kept. */
interface DeletedFile {
  storageId: string;
  /** As `tokenIdentifier`; `null` when the uploader had no identity. */
  owner: string | null;
  /** Bytes. */
  size: number;
  contentType: string | null;
  /** Milliseconds since the epoch. */
  deletedAt: number;
  /** When its bytes are deleted, in milliseconds since the epoch. */
  goneAt: number;
}

/** The files that were deleted last come first. */
export function listDeletedFiles(limit: number): Promise<DeletedFile[]> {
  return prisma.$queryRaw<DeletedFile[]>`
    SELECT "fileId"::text AS "storageId", "owner", "size"::float AS "size", "file" ->> 'contentType' AS "contentType",
      extract(epoch FROM "deletedAt")::float * 1000 AS "deletedAt", extract(epoch FROM "deleteAfter")::float * 1000 AS "goneAt"
    FROM "_unowned_blobs" WHERE "file" IS NOT NULL AND "deleteAfter" > now()
    ORDER BY "deletedAt" DESC, "blobKey" LIMIT ${limit}`;
}
