import { stat } from "node:fs/promises";
import type pg from "pg";
import { bytesIn, copyIn } from "./backup";
import { blobs } from "./blobs";
import type { BlobDriver } from "./drivers/driver";
import { storeIdKey } from "./store-id";

/** A file whose row and bytes do not match. */
interface WrongFile {
  _id: string;
  blobKey: string;
  sha256: string;
  size: number;
  contentType: string | null;
  /** Bytes in the store; `null` when there are none. */
  stored: number | null;
}

interface Differences {
  /** How many rows and blobs were compared. */
  files: number;
  blobs: number;
  /** Files without their bytes. */
  missing: WrongFile[];
  /** Bytes that no file owns and that are not in the list of unowned blobs. */
  orphans: { key: string; size: number }[];
}

/** Differences of each kind that a report lists. */
const maxListed = 1_000;
const pageKeys = 1_000;

/**
 * Compares the rows of files with the blobs in the store, in both directions. Memory does not grow with their number. The app may
 * run meanwhile: the store is listed first, and an upload lists its blob before the first byte.
 */
export async function compareWithStore(client: pg.ClientBase): Promise<Differences> {
  await listStore(client, blobs);
  const orphans = await client.query<{ key: string; size: number }>(
    `SELECT "key", "size"::float8 AS "size" FROM stored
     WHERE NOT EXISTS (SELECT FROM "_storage" WHERE "blobKey" = "key")
       AND NOT EXISTS (SELECT FROM "_storage_variants" WHERE "blobKey" = "key")
       AND NOT EXISTS (SELECT FROM "_unowned_blobs" WHERE "blobKey" = "key") ORDER BY "key" LIMIT ${maxListed}`,
  );
  const wrong = await client.query<WrongFile>(
    `SELECT "_id"::text AS "_id", "blobKey", "sha256", file."size"::float8 AS "size", "contentType", stored."size"::float8 AS "stored"
     FROM "_storage" AS file LEFT JOIN stored ON "key" = "blobKey"
     WHERE stored."size" IS DISTINCT FROM file."size" ORDER BY "_id" LIMIT ${maxListed}`,
  );
  // Asks the store again, because files that were uploaded since it was listed are not missing.
  const missing: WrongFile[] = [];
  for (const file of wrong.rows) {
    const size = (await blobs.head(file.blobKey))?.size ?? null;
    if (size !== file.size) missing.push({ ...file, stored: size });
  }
  const { rows } = await client.query<{ files: number; blobs: number }>(
    `SELECT (SELECT count(*) FROM "_storage")::int AS "files", (SELECT count(*) FROM stored)::int AS "blobs"`,
  );
  return { files: 0, blobs: 0, ...rows[0], missing, orphans: orphans.rows };
}

/**
 * Lists a store in the table `stored` of this connection, without the blob that holds its id. Returns how many blobs it has.
 */
export async function listStore(client: pg.ClientBase, driver: BlobDriver): Promise<number> {
  await client.query(`CREATE TEMP TABLE IF NOT EXISTS stored ("key" text PRIMARY KEY, "size" bigint); TRUNCATE stored`);
  let [keys, sizes]: [string[], number[]] = [[], []];
  const write = async () => {
    const insert = `INSERT INTO stored SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT DO NOTHING`;
    await client.query(insert, [keys, sizes]);
    [keys, sizes] = [[], []];
  };
  for await (const { key, size } of driver.list()) {
    if (key === storeIdKey) continue;
    sizes.push(size);
    if (keys.push(key) >= pageKeys) await write();
  }
  await write();
  await client.query("ANALYZE stored");
  const { rows } = await client.query<{ blobs: number }>(`SELECT count(*)::int AS "blobs" FROM stored`);
  return rows[0]?.blobs ?? 0;
}

/**
 * Lists bytes that no row owns, so that garbage collection deletes them after a day, and restores the missing bytes of files
 * from an export. Returns the files whose bytes are still missing.
 *
 * @param folder of an export
 */
export async function repair(
  client: pg.ClientBase,
  { missing, orphans }: Differences,
  folder?: string,
): Promise<WrongFile[]> {
  await client.query(
    `INSERT INTO "_unowned_blobs" ("blobKey", "deleteAfter") SELECT "key", now() + interval '1 day' FROM unnest($1::text[]) AS "key"
     WHERE NOT EXISTS (SELECT FROM "_storage" WHERE "blobKey" = "key")
       AND NOT EXISTS (SELECT FROM "_storage_variants" WHERE "blobKey" = "key") ON CONFLICT DO NOTHING`,
    [orphans.map(({ key }) => key)],
  );
  const lost: WrongFile[] = [];
  for (const file of missing) {
    const found = folder === undefined ? null : await stat(bytesIn(folder, file.sha256)).catch(() => null);
    if (folder !== undefined && found) await copyIn(folder, file);
    else lost.push(file);
  }
  return lost;
}
