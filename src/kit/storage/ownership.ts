import { Prisma } from "~/generated/prisma/client";
import { type Client, pool } from "../database/database";
import { sqlState, uniqueViolation } from "../database/errors";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { type FileRow, fileColumns } from "./file";
import { storageOptions } from "./options";
import type { ImageForm, UploadToken } from "./tokens";
import { UploadError } from "./upload-error";

// Every blob in the store is owned by a row of `_storage` or `_storage_variants`, or listed in `_unowned_blobs`. Each function
// here moves a blob from one to the other in one statement; a trigger lists the blobs of variants whose rows are deleted. Garbage collection deletes only listed blobs. A listed blob that it has decided to delete
// is marked in the column `condemned`, and no upload can make a file of it after that.

/** Hours that an upload may take. Its blob stays listed for one hour more, so that garbage collection never meets it. */
export const uploadHours = 24;
export const maxUploadMs = uploadHours * 3_600_000;

/**
 * The time in milliseconds since the epoch until which an upload URL is remembered as used. An upload that began before the
 * URL expired may end this much later.
 */
export const urlUsedUntil = ({ expiresAt }: UploadToken): number => expiresAt + 2 * maxUploadMs;

/**
 * Lets one statement write one row of `_storage`. A trigger refuses all other writes, and another trigger ends the permission
 * with the statement. This guards against nested writes and SQL by mistake, not against SQL that is written to get around it.
 */
export const allowWrite = (storageId: string) => Prisma.sql`
  permit AS MATERIALIZED (SELECT set_config('storage.row', ${storageId}, true))`;

/** Lists the blob of an upload before its first byte. Returns `false` when the upload URL was used. */
export async function listUpload({ blobKey, storageId }: { blobKey: string; storageId: string }): Promise<boolean> {
  // Uses the driver directly, because Prisma would double the time of the statement.
  const listed = await pool.sql(
    `INSERT INTO "_unowned_blobs" ("blobKey", "deleteAfter")
     SELECT $1, now() + interval '${uploadHours + 1} hours'
     WHERE NOT EXISTS (SELECT FROM "_spent_uploads" WHERE "_id" = $2)
     RETURNING 1`,
    [blobKey, storageId],
  );
  return listed.length === 1;
}

/** Runs a statement, on the pool or in a transaction. */
export type Sql = (text: string, values: unknown[]) => Promise<unknown[]>;

interface ReceivedFile {
  storageId: string;
  blobKey: string;
  /** Lower-case hex. */
  sha256: string;
  /** Bytes. */
  size: number;
  contentType: string | null;
  detectedType: string | null;
  /** As `tokenIdentifier`. */
  owner?: string;
  /** Until when the upload URL is remembered as used, in milliseconds since the epoch. */
  usedUntil: number;
}

/**
 * Makes a file of the blob, and schedules the app's `onStored` functions. Returns `false` when the blob is not listed any more, because garbage collection took it. Throws a
 * unique violation when another attempt with the same upload URL was first; then the blob stays listed.
 * @throws UploadError `StorageTokenExpired` when the owner's account was deleted
 */
export async function commitUpload(file: ReceivedFile, sql: Sql = (...args) => pool.sql(...args)): Promise<boolean> {
  const { storageId, blobKey, sha256, size, contentType, detectedType, owner = null, usedUntil } = file;
  const { hold, onStored } = await storageOptions();
  const scheduled = `, scheduled AS (
     INSERT INTO "_scheduled_functions" ("_id", "name", "args", "scheduledTime")
     SELECT gen_random_uuid(), "name", jsonb_build_object('json', jsonb_build_object('storageId', "_id"::text)), now()
     FROM stored, unnest($10::text[]) AS "name")`;
  const committed = await sql(
    `WITH permit AS MATERIALIZED (SELECT set_config('storage.row', $1::uuid::text, true)),
     received AS (DELETE FROM "_unowned_blobs" WHERE "blobKey" = $2 AND NOT "condemned"
       AND NOT EXISTS (SELECT FROM "_adoptions" WHERE "from" = $6::text AND "to" IS NULL) RETURNING "blobKey"),
     used AS (INSERT INTO "_spent_uploads" ("_id", "expiresAt") SELECT $1::uuid, $7::timestamptz FROM received),
     stored AS (
       INSERT INTO "_storage" ("_id", "blobKey", "sha256", "size", "contentType", "owner", "detectedType", "held")
       SELECT $1::uuid, "blobKey", $3::text, $4::bigint, $5::text,
         coalesce((SELECT "to" FROM "_adoptions" WHERE "from" = $6::text), $6::text), $8::text, $9::boolean
       FROM received, permit
       RETURNING "_id"
     )${onStored.length > 0 ? scheduled : ""}
     SELECT 1 FROM stored`,
    [
      ...[storageId, blobKey, sha256, size, contentType, owner, new Date(usedUntil).toISOString(), detectedType, hold],
      ...(onStored.length > 0 ? [onStored] : []),
    ],
  );
  if (committed.length === 1) return true;
  const deleted = await sql(`SELECT FROM "_adoptions" WHERE "from" = $1::text AND "to" IS NULL`, [owner]);
  if (deleted.length > 0) throw UploadError.ownerDeleted();
  return false;
}

/**
 * Whether `commitUpload` threw this error because another attempt with the same upload URL was first. A unique violation alone
 * does not prove it, because a trigger of the app may have caused it.
 */
export async function wasOvertaken(client: Client, error: unknown, storageId: string): Promise<boolean> {
  return sqlState(error) === uniqueViolation && (await isUsed(client, storageId));
}

/** Whether the upload URL has made its file. */
export async function isUsed(client: Client, storageId: string): Promise<boolean> {
  return (await client.spentUpload.count({ where: { id: storageId } })) > 0;
}

/** Keeps the blob of a failed upload from becoming a file. Returns `false` when it is a file already, or is not listed. */
export async function abandonUpload(client: Client, blobKey: string): Promise<boolean> {
  const abandoned = await client.$executeRaw`
    UPDATE "_unowned_blobs" SET "condemned" = true, "deleteAfter" = now() WHERE "blobKey" = ${blobKey}`;
  return abandoned === 1;
}

/**
 * Claims a file for `owner`: a file that the owner uploaded, also before signing up, or one without an owner that was never
 * claimed. Returns `null` for any other file and when there is none.
 *
 * CASE keeps PostgreSQL from using the index of owners, where a serializable transaction would read the rows of many files and
 * conflict with everyone who claims one of them.
 */
export async function claimFile(client: Client, storageId: string, owner: string | null, contentType?: string) {
  const [row] = await client.$queryRaw<(FileRow & { wasUnowned: boolean })[]>`
    WITH ${allowWrite(storageId)},
    before AS MATERIALIZED (SELECT "owner" IS NULL AS unowned FROM "_storage" WHERE "_id" = ${storageId}::uuid),
    noted AS MATERIALIZED (SELECT ${allowReferences(Prisma.sql`${storageId}::text`)})
    UPDATE "_storage" SET "claimed" = true, "owner" = ${owner}, "contentType" = coalesce(${contentType ?? null}, "contentType")
    FROM permit, noted, before
    WHERE "_id" = ${storageId}::uuid AND CASE
      WHEN "owner" IS NULL THEN NOT "claimed"
      WHEN "owner" = ${owner} THEN true
      ELSE EXISTS (SELECT FROM "_adoptions" WHERE "from" = "_storage"."owner" AND "to" = ${owner})
    END
    RETURNING ${Prisma.raw(fileColumns)}, before.unowned AS "wasUnowned"`;
  return row ?? null;
}

/** Lets rows that this transaction writes reference the file: see the trigger `guard_file`. */
const allowReferences = (id: Prisma.Sql) =>
  Prisma.sql`set_config('storage.claimed', concat(current_setting('storage.claimed', true), ' ', ${id}), true)`;

/** Lets rows of this transaction reference a file of any owner. Returns `false` when there is no such file. */
export async function reuseFile(client: Client, storageId: string): Promise<boolean> {
  const rows = await client.$queryRaw<unknown[]>`
    SELECT ${allowReferences(Prisma.sql`"_id"::text`)} FROM "_storage" WHERE "_id" = ${storageId}::uuid`;
  return rows.length === 1;
}

/** Serves a file from the commit on. Returns `false` when there is no such file. */
export async function releaseFile(client: Client, storageId: string): Promise<boolean> {
  const released = await client.$executeRaw`
    WITH ${allowWrite(storageId)}
    UPDATE "_storage" SET "held" = false FROM permit WHERE "_id" = ${storageId}::uuid`;
  return released === 1;
}

/** Identifies an image that is made of a file. */
export interface VariantKey extends ImageForm<"avif" | "webp" | "jpeg" | "fallback"> {
  storageId: string;
}

/** The outcome of making an image: it was made, the file itself is served instead, or the code of a refusal. */
export type VariantResult =
  | { result: "made"; sha256: string; size: number; contentType: string }
  | { result: "original" }
  | { result: VariantRefusal };

export type VariantRefusal = "NotAnImage" | "ImageUnreadable" | "ImageTooLarge" | "ImageTooSlow";

/** Minutes for which other processes leave an image to the process that is making it. */
const makingMinutes = 2;
/** Minutes for which a refusal is remembered. */
const refusalMinutes = 60;

/**
 * Lets the caller make an image, and lists its blob. Returns `false` when the image is already made, or when another process
 * is making it. Throws a violation of a foreign key when there is no such file.
 */
export async function claimVariant(client: Client, key: VariantKey, blobKey: string): Promise<boolean> {
  const claimed = await client.$executeRaw`
    WITH claimed AS (
      INSERT INTO "_storage_variants" AS v ("fileId", "width", "shape", "format", "blobKey", "leaseUntil")
      VALUES (${key.storageId}::uuid, ${key.width}, ${key.shape}, ${key.format}, ${blobKey},
        now() + make_interval(mins => ${makingMinutes}))
      ON CONFLICT ("fileId", "width", "shape", "format") DO UPDATE
      SET "blobKey" = excluded."blobKey", "leaseUntil" = excluded."leaseUntil", "result" = NULL
      WHERE v."leaseUntil" < now()
      RETURNING "blobKey"
    )
    INSERT INTO "_unowned_blobs" ("blobKey", "deleteAfter")
    SELECT "blobKey", now() + make_interval(hours => ${uploadHours + 1}) FROM claimed`;
  return claimed === 1;
}

/**
 * Ends what `claimVariant` began, and deletes the file's oldest images beyond the limit. Returns `false` when the file was
 * deleted, or the claim has passed to another process; then the blob stays listed.
 */
export async function commitVariant(
  client: Client,
  key: VariantKey,
  blobKey: string,
  outcome: VariantResult,
): Promise<boolean> {
  const made = outcome.result === "made" ? outcome : { sha256: null, size: null, contentType: null };
  const isFinal = outcome.result === "made" || outcome.result === "original";
  const committed = await client.$executeRaw`
    WITH listed AS MATERIALIZED (
      SELECT "blobKey" FROM "_unowned_blobs" WHERE "blobKey" = ${blobKey} AND NOT "condemned" FOR UPDATE
    ), owned AS (
      UPDATE "_storage_variants" SET "result" = ${outcome.result}, "sha256" = ${made.sha256}, "size" = ${made.size},
        "contentType" = ${made.contentType},
        "leaseUntil" = CASE WHEN NOT ${isFinal} THEN now() + make_interval(mins => ${refusalMinutes}) END
      FROM listed WHERE "_storage_variants"."blobKey" = listed."blobKey" AND "result" IS NULL
      RETURNING listed."blobKey"
    )
    DELETE FROM "_unowned_blobs" USING owned WHERE "_unowned_blobs"."blobKey" = owned."blobKey"`;
  await client.$executeRaw`
    DELETE FROM "_storage_variants" WHERE "result" IS NOT NULL AND "blobKey" IN (
      SELECT "blobKey" FROM "_storage_variants" WHERE "fileId" = ${key.storageId}::uuid
      ORDER BY "creationTime" DESC, "blobKey" OFFSET ${limits.variantsOfFile}
    )`;
  return committed === 1;
}

/** Gives up a claim, so that the next request makes the image. */
export async function abandonVariant(client: Client, blobKey: string): Promise<void> {
  await client.$executeRaw`DELETE FROM "_storage_variants" WHERE "blobKey" = ${blobKey} AND "result" IS NULL`;
}

/** Deletes an image whose bytes the store has lost, so that the next request makes it again. */
export async function forgetVariant(client: Client, blobKey: string): Promise<void> {
  await client.$executeRaw`DELETE FROM "_storage_variants" WHERE "blobKey" = ${blobKey}`;
}

/**
 * Lists the blobs of the rows in the table `gone`, which must have all columns of `_storage`. Unless the deletion is permanent,
 * it keeps the blobs with a copy of their rows for `DELETED_FILE_RETENTION_HOURS`.
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
 * Deletes the file's row and lists its blob. A permanent deletion also applies to a file that was deleted before and whose
 * bytes are still kept. Returns `false` when there is no such file.
 */
export async function deleteFile(client: Client, storageId: string, permanently = false): Promise<boolean> {
  const deleted = await client.$executeRaw`
    WITH ${allowWrite(storageId)},
    gone AS (DELETE FROM "_storage" USING permit WHERE "_id" = ${storageId}::uuid RETURNING "_storage".*)
    ${listDeleted(permanently)}`;
  return deleted === 1 || (permanently && (await forgetDeleted(client, [storageId])) === 1);
}

/** Deletes those of the files that exist, or none when it throws. Returns how many. */
export async function deleteFiles(client: Client, storageIds: string[], permanently = false): Promise<number> {
  return client.$executeRaw`
    WITH ${allowWrite("*")},
    gone AS (DELETE FROM "_storage" USING permit WHERE "_id" = ANY(${storageIds}::uuid[]) RETURNING "_storage".*)
    ${listDeleted(permanently)}`;
}

/** Lets the next garbage collection delete the bytes of deleted files. Returns how many files still had bytes. */
export function forgetDeleted(client: Client, storageIds: string[]): Promise<number> {
  return client.$executeRaw`
    UPDATE "_unowned_blobs"
    SET "deleteAfter" = now(), "fileId" = NULL, "owner" = NULL, "size" = NULL, "deletedAt" = NULL, "file" = NULL
    WHERE "fileId" = ANY(${storageIds}::uuid[])`;
}

/**
 * Undoes a deletion. The row comes back as it was; the rows that referenced it do not. Returns `false` when the bytes are
 * deleted or about to be.
 */
export async function restoreFile(client: Client, storageId: string): Promise<boolean> {
  const restored = await client.$executeRaw`
    WITH ${allowWrite(storageId)},
    back AS (DELETE FROM "_unowned_blobs" WHERE "fileId" = ${storageId}::uuid AND "file" IS NOT NULL RETURNING "file")
    INSERT INTO "_storage"
    SELECT (jsonb_populate_record(NULL::"_storage",
      jsonb_build_object('held', false) || "file" || jsonb_build_object('restoredAt', now()))).* FROM back, permit`;
  return restored === 1;
}

/** The SQL of the advisory lock that is held on a blob while it is copied to another store. */
export const blobLock = (blobKey: string) => `hashtextextended(${blobKey}, 1)`;

/**
 * Takes listed blobs that are due, to delete their bytes. No upload can make a file of them any more, and other processes leave
 * them alone for ten minutes. Leaves out blobs that are being copied to another store.
 */
export async function takeDueBlobs(client: Client, limit: number): Promise<string[]> {
  // PostgreSQL computes the array once. With IN it may run the subquery again for each row, and take more than `limit`.
  const rows = await client.$queryRaw<{ blobKey: string }[]>`
    UPDATE "_unowned_blobs" SET "condemned" = true, "deleteAfter" = now() + interval '10 minutes',
      "fileId" = NULL, "owner" = NULL, "size" = NULL, "deletedAt" = NULL, "file" = NULL
    WHERE "blobKey" = ANY(ARRAY(
      SELECT "blobKey" FROM "_unowned_blobs"
      WHERE "deleteAfter" <= now() AND pg_try_advisory_xact_lock(${Prisma.raw(blobLock('"blobKey"'))})
      ORDER BY "deleteAfter" LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ))
    RETURNING "blobKey"`;
  return rows.map((row) => row.blobKey);
}

/**
 * Removes blobs that the store has deleted from the list. A blob that a signed URL can still write may come back, so it stays
 * listed until the URL has expired.
 * @param notBefore until when the blobs may come back for another reason, in milliseconds since the epoch
 */
export async function removeFromList(client: Client, blobKeys: string[], notBefore = 0): Promise<void> {
  const endOf = (blobKey: string) => Math.max(notBefore, writableUntil(blobKey));
  const closed = blobKeys.filter((blobKey) => endOf(blobKey) <= Date.now());
  await client.$executeRaw`DELETE FROM "_unowned_blobs" WHERE "blobKey" = ANY(${closed})`;
  for (const blobKey of blobKeys.filter((key) => !closed.includes(key))) {
    const deleteAfter = new Date(endOf(blobKey));
    await client.unownedBlob.updateMany({ where: { blobKey }, data: { deleteAfter } });
  }
}

/**
 * The time until which signed URLs can write a blob, in milliseconds since the epoch. Only direct uploads have such URLs; their
 * keys are UUIDv7, which start with the time when they were made.
 */
function writableUntil(blobKey: string): number {
  const madeAt = Number.parseInt(blobKey.slice(0, 8) + blobKey.slice(9, 13), 16);
  return blobKey[14] === "7" ? madeAt + maxUploadMs + 3_600_000 : 0;
}
