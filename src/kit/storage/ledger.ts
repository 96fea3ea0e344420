import { Prisma, type Storage } from "~/generated/prisma/client";
import { type Client, prisma } from "../database/database";
import { sqlState, uniqueViolation } from "../database/errors";
import { env } from "../process/env";

/**
 * Who owns which blob (DESIGN invariant 2): a blob in the store is owned by a `_storage` row or listed in
 * `_unowned_blobs`, and moves between the two in one statement.
 */

/** Hours an upload may take. Its listing lives one longer, so that the sweeper never meets an upload under way. */
export const uploadHours = 24;

/**
 * Allows one statement to write one row of `_storage`: a trigger refuses all others, and another ends the permission with
 * the statement. It guards against nested writes and SQL that was not meant so; SQL that is written to get around it can.
 */
export const permitRow = (storageId: string) => Prisma.sql`
  permit AS MATERIALIZED (SELECT set_config('storage.row', ${storageId}, true))`;

/** Lists the blob of an upload before its first byte. `false` when the upload URL has made its file already. */
export async function listUpload(client: Client, upload: { blobKey: string; storageId: string }): Promise<boolean> {
  const listed = await client.$executeRaw`
    INSERT INTO "_unowned_blobs" ("blobKey", "deleteAfter")
    SELECT ${upload.blobKey}, now() + make_interval(hours => ${uploadHours + 1})
    WHERE NOT EXISTS (SELECT FROM "_spent_uploads" WHERE "_id" = ${upload.storageId}::uuid)`;
  return listed === 1;
}

interface ReceivedFile {
  storageId: string;
  blobKey: string;
  /** Lower-case hex. */
  sha256: string;
  /** Bytes. */
  size: number;
  contentType: string | null;
  /** As `tokenIdentifier`. */
  owner?: string;
  /** Until when the upload URL counts as used; milliseconds since the epoch. */
  spentUntil: number;
}

/**
 * Makes the blob a file. `false` when it is no longer listed, because the sweeper took it; throws a unique violation
 * when another attempt with the same upload URL was first. The blob stays listed then.
 */
export async function claimUpload(client: Client, file: ReceivedFile): Promise<boolean> {
  const claimed = await client.$executeRaw`
    WITH ${permitRow(file.storageId)},
    claimed AS (
      DELETE FROM "_unowned_blobs" WHERE "blobKey" = ${file.blobKey} AND NOT "condemned" RETURNING "blobKey"
    ),
    spent AS (
      INSERT INTO "_spent_uploads" ("_id", "expiresAt")
      SELECT ${file.storageId}::uuid, ${new Date(file.spentUntil)} FROM claimed
    )
    INSERT INTO "_storage" ("_id", "blobKey", "sha256", "size", "contentType", "owner")
    SELECT ${file.storageId}::uuid, "blobKey", ${file.sha256}, ${file.size}, ${file.contentType},
      coalesce((SELECT "to" FROM "_adoptions" WHERE "from" = ${file.owner ?? null}), ${file.owner ?? null})
    FROM claimed, permit`;
  return claimed === 1;
}

/**
 * Whether `claimUpload` threw this because another attempt with the same upload URL was first. A unique violation alone
 * does not say so: an app's own trigger may have caused it.
 */
export async function wasOvertaken(client: Client, error: unknown, storageId: string): Promise<boolean> {
  return sqlState(error) === uniqueViolation && (await isSpent(client, storageId));
}

/** Whether the upload URL has made its file. */
export async function isSpent(client: Client, storageId: string): Promise<boolean> {
  return (await client.spentUpload.count({ where: { id: storageId } })) > 0;
}

/** Keeps the blob of a failed upload from being claimed. `false` when it is a file already, or gone. */
export async function condemnUpload(client: Client, blobKey: string): Promise<boolean> {
  const condemned = await client.$executeRaw`
    UPDATE "_unowned_blobs" SET "condemned" = true, "deleteAfter" = now() WHERE "blobKey" = ${blobKey}`;
  return condemned === 1;
}

/**
 * Takes a file for `owner`: one that they uploaded, also as the visitor they were, or one that nobody owns and nobody took
 * before. `null` when it is
 * neither, or there is none. CASE keeps PostgreSQL from the index of owners: of its many rows a serializable transaction
 * would conflict with everyone who takes one.
 */
export async function takeFile(client: Client, storageId: string, owner: string | null, contentType?: string) {
  const [row] = await client.$queryRaw<(Storage & { wasUnowned: boolean })[]>`
    WITH ${permitRow(storageId)},
    before AS MATERIALIZED (SELECT "owner" IS NULL AS unowned FROM "_storage" WHERE "_id" = ${storageId}::uuid),
    noted AS MATERIALIZED (SELECT ${noteClaim(Prisma.sql`${storageId}::text`)})
    UPDATE "_storage" SET "claimed" = true, "owner" = ${owner}, "contentType" = coalesce(${contentType ?? null}, "contentType")
    FROM permit, noted, before
    WHERE "_id" = ${storageId}::uuid AND CASE
      WHEN "owner" IS NULL THEN NOT "claimed"
      WHEN "owner" = ${owner} THEN true
      ELSE EXISTS (SELECT FROM "_adoptions" WHERE "from" = "_storage"."owner" AND "to" = ${owner})
    END
    RETURNING "_id"::text AS "id", "_creationTime" AS "creationTime", "sha256", "size", "contentType",
      before.unowned AS "wasUnowned"`;
  return row ?? null;
}

/** Lets rows of this transaction refer to the file: see the trigger `guard_file`. */
const noteClaim = (id: Prisma.Sql) =>
  Prisma.sql`set_config('storage.claimed', concat(current_setting('storage.claimed', true), ' ', ${id}), true)`;

/** Lets rows of this transaction refer to a file that is not the caller's. `false` when there is no such file. */
export async function shareFile(client: Client, storageId: string): Promise<boolean> {
  const rows = await client.$queryRaw<unknown[]>`
    SELECT ${noteClaim(Prisma.sql`"_id"::text`)} FROM "_storage" WHERE "_id" = ${storageId}::uuid`;
  return rows.length === 1;
}

/**
 * Lists the blobs of the rows in `gone`, which is to return all of their columns. Unless it is for good, they are kept for
 * `DELETED_FILE_RETENTION_HOURS`, with their rows as they were.
 */
export const listDeleted = (permanently: boolean) => {
  const hours = permanently ? 0 : env.DELETED_FILE_RETENTION_HOURS;
  const kept = hours > 0;
  return Prisma.sql`
    INSERT INTO "_unowned_blobs" ("blobKey", "deleteAfter", "condemned", "fileId", "owner", "size", "deletedAt", "file")
    SELECT "blobKey", now() + make_interval(hours => ${hours}), true,
      CASE WHEN ${kept} THEN "_id" END, CASE WHEN ${kept} THEN "owner" END, CASE WHEN ${kept} THEN "size" END,
      CASE WHEN ${kept} THEN now() END, CASE WHEN ${kept} THEN to_jsonb(gone) END
    FROM gone`;
};

/**
 * Deletes the file's row and lists its blob for the sweeper; for good, also when it was deleted before and is kept.
 * `false` when there is no such file.
 */
export async function condemnFile(client: Client, storageId: string, permanently = false): Promise<boolean> {
  const condemned = await client.$executeRaw`
    WITH ${permitRow(storageId)},
    gone AS (DELETE FROM "_storage" USING permit WHERE "_id" = ${storageId}::uuid RETURNING "_storage".*)
    ${listDeleted(permanently)}`;
  return condemned === 1 || (permanently && (await forgetDeleted(client, [storageId])) === 1);
}

/** The same for many, of which some may not exist. Returns how many it deleted; all, or when it throws none. */
export async function condemnFiles(client: Client, storageIds: string[], permanently = false): Promise<number> {
  return client.$executeRaw`
    WITH ${permitRow("*")},
    gone AS (DELETE FROM "_storage" USING permit WHERE "_id" = ANY(${storageIds}::uuid[]) RETURNING "_storage".*)
    ${listDeleted(permanently)}`;
}

/** Has the bytes of deleted files go at the next sweep. Returns how many of them were still kept. */
export function forgetDeleted(client: Client, storageIds: string[]): Promise<number> {
  return client.$executeRaw`
    UPDATE "_unowned_blobs"
    SET "deleteAfter" = now(), "fileId" = NULL, "owner" = NULL, "size" = NULL, "deletedAt" = NULL, "file" = NULL
    WHERE "fileId" = ANY(${storageIds}::uuid[])`;
}

/**
 * Undoes a deletion: the row comes back as it was, and the rows that referred to it do not. `false` when the bytes are gone
 * or about to go.
 */
export async function restoreFile(client: Client, storageId: string): Promise<boolean> {
  const restored = await client.$executeRaw`
    WITH ${permitRow(storageId)},
    back AS (DELETE FROM "_unowned_blobs" WHERE "fileId" = ${storageId}::uuid AND "file" IS NOT NULL RETURNING "file")
    INSERT INTO "_storage"
    SELECT (jsonb_populate_record(NULL::"_storage", "file" || jsonb_build_object('restoredAt', now()))).* FROM back, permit`;
  return restored === 1;
}

/** Takes blobs whose time has come; other sweepers leave them alone for ten minutes, uploads for good. */
export async function takeCondemned(client: Client, limit: number): Promise<string[]> {
  // An array is made once. With IN, PostgreSQL may look again for each row, past those it has just taken.
  const rows = await client.$queryRaw<{ blobKey: string }[]>`
    UPDATE "_unowned_blobs" SET "condemned" = true, "deleteAfter" = now() + interval '10 minutes',
      "fileId" = NULL, "owner" = NULL, "size" = NULL, "deletedAt" = NULL, "file" = NULL
    WHERE "blobKey" = ANY(ARRAY(
      SELECT "blobKey" FROM "_unowned_blobs" WHERE "deleteAfter" <= now()
      ORDER BY "deleteAfter" LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ))
    RETURNING "blobKey"`;
  return rows.map((row) => row.blobKey);
}

/**
 * Forgets blobs that are gone from the store. Those that a signed URL can still write stay listed until it cannot: they
 * may come back.
 */
export async function unlist(client: Client, blobKeys: string[]): Promise<void> {
  const closed = blobKeys.filter((blobKey) => writableUntil(blobKey) <= Date.now());
  await client.$executeRaw`DELETE FROM "_unowned_blobs" WHERE "blobKey" = ANY(${closed})`;
  for (const blobKey of blobKeys.filter((key) => !closed.includes(key))) {
    const deleteAfter = new Date(writableUntil(blobKey));
    await client.unownedBlob.updateMany({ where: { blobKey }, data: { deleteAfter } });
  }
}

/** Keys of direct uploads are UUIDv7, which begin with the time they were made; only those have URLs that write. */
function writableUntil(blobKey: string): number {
  const made = Number.parseInt(blobKey.slice(0, 8) + blobKey.slice(9, 13), 16);
  return blobKey[14] === "7" ? made + (uploadHours + 1) * 3_600_000 : 0;
}

/** A deleted file whose bytes are still kept. */
interface DeletedFile {
  storageId: string;
  /** As `tokenIdentifier`; `null` when nobody was known. */
  owner: string | null;
  /** Bytes. */
  size: number;
  contentType: string | null;
  /** Milliseconds since the epoch. */
  deletedAt: number;
  /** When its bytes go, in milliseconds since the epoch. */
  goneAt: number;
}

/** The latest deleted first. */
export function listDeletedFiles(limit: number): Promise<DeletedFile[]> {
  return prisma.$queryRaw<DeletedFile[]>`
    SELECT "fileId"::text AS "storageId", "owner", "size"::float AS "size", "file" ->> 'contentType' AS "contentType",
      extract(epoch FROM "deletedAt")::float * 1000 AS "deletedAt", extract(epoch FROM "deleteAfter")::float * 1000 AS "goneAt"
    FROM "_unowned_blobs" WHERE "file" IS NOT NULL AND "deleteAfter" > now()
    ORDER BY "deletedAt" DESC, "blobKey" LIMIT ${limit}`;
}
