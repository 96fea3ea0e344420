import { createHash } from "node:crypto";
import pg from "pg";
import { stores } from "./blobs";
import type { BlobDriver, Chunk } from "./drivers/driver";
import { hashBlob } from "./hash-blob";
import { blobLock, uploadHours } from "./ownership";
import { listStore } from "./reconcile";
import { storeIdKey } from "./store-id";
import type { Store } from "./two-stores";

// Copies all blobs from one of two stores to the other while the app runs with both: see two-stores.ts. Nothing is deleted
// from the old store. It can be removed once everything is copied and all processes write to the new store.

/** Blobs that are copied at once, each with a connection of its own. */
const copies = 4;
const pageRows = 500;

/** The blobs that must not be lost: those of files, of images made of them, and of deleted files that can be restored. */
const owned = `
  SELECT "blobKey", "sha256", "size"::float8 AS "size", "contentType" FROM "_storage"
  UNION ALL SELECT "blobKey", "sha256", "size"::float8, "contentType" FROM "_storage_variants" WHERE "result" = 'made'
  UNION ALL SELECT "blobKey", "file" ->> 'sha256', "size"::float8, "file" ->> 'contentType' FROM "_unowned_blobs"
    WHERE "file" IS NOT NULL`;

interface Owned {
  blobKey: string;
  /** Lower-case hex. */
  sha256: string;
  /** Bytes. */
  size: number;
  contentType: string | null;
}

/** The result of a move. */
interface Moved {
  copied: number;
  /** Bytes that were copied. */
  bytes: number;
  /** Blobs that the new store had already. */
  kept: number;
  /** Blobs that neither store has, and blobs whose bytes do not match the digest in their row. */
  missing: string[];
  damaged: string[];
  /** Uploads that may still complete in the old store. */
  uploads: number;
  /** Whether the app writes to the new store. */
  isFirst: boolean;
}

/**
 * Copies the blobs that the store with the driver `to` lacks. It may be interrupted, repeated, and run several times at
 * once. The SHA-256 of each blob is verified as it is read from the new store.
 *
 * @param url of the database
 */
export async function moveBlobs(url: string, to: string): Promise<Moved> {
  const { source, target, isFirst } = chooseStores(to);
  const clients: pg.Client[] = [];
  const connect = async () => {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    clients.push(client);
    await client.connect();
    return client;
  };
  const moved: Moved = { copied: 0, bytes: 0, kept: 0, missing: [], damaged: [], uploads: 0, isFirst };
  try {
    const main = await connect();
    const workers = await Promise.all(Array.from({ length: copies }, connect));
    await copyId(source.driver, target.driver);
    const since = isFirst ? await noteBegin(main, target.name) : null;
    moved.kept = await listStore(main, target.driver);
    // While uploads complete in the old store, each round finds a few more blobs. If the app still writes there, one round
    // is enough, because new blobs would never stop coming.
    for (let before = -1; before !== moved.copied && (isFirst || before < 0); ) {
      before = moved.copied;
      await copyMissing(main, workers, (client, blob) => copy(client, blob, source.driver, target.driver, moved));
    }
    if (since) moved.uploads = await countUploads(main, since, source.name);
    return moved;
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

function chooseStores(to: string): { source: Store; target: Store; isFirst: boolean } {
  const { first, second } = stores;
  if (!second) {
    throw new Error(
      "There is one store. Set SECOND_STORAGE_DRIVER to the other one, and its settings with SECOND_ in front. " +
        'docs/operating.md, "Move the files to another store", has the steps.',
    );
  }
  const isOf = ({ name }: Store) => name.split(" ")[0] === to;
  if (isOf(first)) return { source: second, target: first, isFirst: true };
  if (isOf(second)) return { source: first, target: second, isFirst: false };
  throw new Error(`The stores are ${first.name} and ${second.name}. Pass the driver of one of them as --to.`);
}

/** Gives the new store the id of the app's store. @throws when it belongs to another app */
async function copyId(source: BlobDriver, target: BlobDriver): Promise<void> {
  const read = async (driver: BlobDriver) => {
    const body = await driver.get(storeIdKey);
    return body && new Response(body).text();
  };
  const [known, found] = [await read(source), await read(target)];
  if (found !== null && known !== null && found !== known) {
    throw new Error(
      `The store to move to belongs to another database: its id is ${found}, and not ${known}. Empty it first.`,
    );
  }
  if (known !== null && found === null) {
    // Deletes what a process left that was killed while it wrote the id.
    await target.delete(storeIdKey);
    await target.put(storeIdKey, new Blob([known]).stream(), "text/plain");
  }
}

/** Returns the time when the move to this store began. Since then, uploads begin there. */
async function noteBegin(client: pg.ClientBase, name: string): Promise<Date> {
  const { rows } = await client.query<{ since: Date }>(
    `INSERT INTO "_system_state" AS state ("key", "value") VALUES ('storageMove', jsonb_build_object('to', $1::text, 'since', now()))
     ON CONFLICT ("key") DO UPDATE SET "value" = CASE WHEN state."value" ->> 'to' = $1 THEN state."value" ELSE excluded."value" END
     RETURNING (state."value" ->> 'since')::timestamptz AS "since"`,
    [name],
  );
  return rows[0]?.since ?? new Date();
}

/** Calls `work` with each owned blob that the table `stored` lacks, several at a time. */
async function copyMissing(
  main: pg.ClientBase,
  workers: pg.ClientBase[],
  work: (client: pg.ClientBase, blob: Owned) => Promise<boolean>,
): Promise<void> {
  await main.query(`DECLARE missing NO SCROLL CURSOR WITH HOLD FOR
    SELECT * FROM (${owned}) AS blob WHERE NOT EXISTS (
      SELECT FROM stored WHERE "key" = blob."blobKey" AND coalesce(stored."size", blob."size") = blob."size")`);
  for (;;) {
    const { rows } = await main.query<Owned>(`FETCH ${pageRows} FROM missing`);
    if (rows.length === 0) break;
    const done: string[] = [];
    const turn = async (client: pg.ClientBase) => {
      for (let blob = rows.pop(); blob; blob = rows.pop()) if (await work(client, blob)) done.push(blob.blobKey);
    };
    // When one fails, the others finish first: a copy must not go on without its lock.
    const failed = (await Promise.allSettled(workers.map(turn))).find((each) => each.status === "rejected");
    if (failed) throw failed.reason;
    await main.query(`INSERT INTO stored ("key") SELECT unnest($1::text[]) ON CONFLICT DO NOTHING`, [done]);
  }
  await main.query("CLOSE missing");
}

/**
 * Copies one blob, unless it was deleted or the new store has it already. Garbage collection skips a blob while it is being
 * copied, because it could not delete a copy that is made afterwards. Returns whether the new store has the blob.
 */
async function copy(
  client: pg.ClientBase,
  { blobKey, sha256, size, contentType }: Owned,
  source: BlobDriver,
  target: BlobDriver,
  moved: Moved,
): Promise<boolean> {
  await client.query("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0");
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${blobLock("$1")})`, [blobKey]);
    const { rowCount } = await client.query(`SELECT FROM (${owned}) AS blob WHERE "blobKey" = $1`, [blobKey]);
    if (rowCount === 0) return false;
    if ((await target.head(blobKey))?.size === size) {
      moved.kept += 1;
      return true;
    }
    // Deletes what an interrupted copy left.
    await target.delete(blobKey);
    const body = await source.get(blobKey);
    if (!body) {
      if (!moved.missing.includes(blobKey)) moved.missing.push(blobKey);
      return false;
    }
    const isWhole = await put(target, { blobKey, sha256, size, contentType }, body);
    if (!isWhole) {
      await target.delete(blobKey);
      if (!moved.damaged.includes(blobKey)) moved.damaged.push(blobKey);
      return false;
    }
    moved.copied += 1;
    moved.bytes += size;
    return true;
  } finally {
    await client.query("ROLLBACK");
  }
}

/** Writes a blob, and reads it again. Returns whether its bytes match the digest both times. */
async function put(target: BlobDriver, { blobKey, sha256, size, contentType }: Owned, body: AsyncIterable<Chunk>) {
  const hash = createHash("sha256");
  async function* hashed() {
    for await (const chunk of body) {
      hash.update(chunk);
      yield chunk;
    }
  }
  await target.put(blobKey, hashed(), contentType, size);
  return hash.digest("hex") === sha256 && (await hashBlob(target, blobKey, size)) === sha256;
}

/** Counts the uploads that began before `since`, and those that continue in the old store. */
async function countUploads(client: pg.ClientBase, since: Date, source: string): Promise<number> {
  const { rows } = await client.query<{ uploads: number }>(
    `SELECT (SELECT count(*) FROM "_unowned_blobs" WHERE NOT "condemned" AND "deleteAfter" < $1::timestamptz + interval '${uploadHours + 1} hours'
       AND "deleteAfter" > now())::int
     + (SELECT count(*) FROM "_unfinished_uploads" WHERE "progress" ->> 'store' = $2 AND "expiresAt" > now())::int AS "uploads"`,
    [since, source],
  );
  return rows[0]?.uploads ?? 0;
}
