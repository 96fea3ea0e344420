import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import type pg from "pg";
import { z } from "zod";
import { blobs } from "./blobs";
import type { Chunk } from "./drivers/driver";
import { storeIdKey } from "./store-id";

/**
 * Tables whose rows belong to the processes that run and to their store: announced changes, counters of limits, unfinished
 * uploads, blobs that no file owns, and images that can be made again.
 */
const leftOut = [
  "_prisma_migrations",
  "_changes",
  "_rate_limits",
  "_unowned_blobs",
  "_unfinished_uploads",
  "_storage_variants",
];

/** Rows that one statement reads or writes. */
const pageRows = 500;
/** Files that are copied at the same time. */
const copies = 4;

const manifestSchema = z.object({
  format: z.literal(1),
  /** When the rows were read. */
  time: z.iso.datetime(),
  /** The migrations that the database had. */
  migrations: z.array(z.string()),
  /** The number of rows of each table. */
  tables: z.record(z.string(), z.int()),
  /** Files that are not in the export, because their bytes were missing or did not match their digest. */
  missing: z.array(z.string()),
});
type Manifest = z.output<typeof manifestSchema>;

interface File {
  _id: string;
  blobKey: string;
  sha256: string;
  size: number;
  contentType: string | null;
}

const manifestIn = (snapshot: string) => join(snapshot, "export.json");
const rowsIn = (snapshot: string, table: string) => join(snapshot, `${encodeURIComponent(table)}.jsonl`);

/** Returns the path at which an export keeps the bytes with this digest. */
export const bytesIn = (folder: string, sha256: string) => join(folder, "files", sha256.slice(0, 2), sha256);

/** The result of an export. */
export interface Exported extends Manifest {
  /** Files whose bytes were copied, and files whose bytes the folder had. */
  copied: number;
  kept: number;
  /** Files whose bytes were erased after their rows had been read. They are not in the export. */
  erased: string[];
  /** Files whose stored bytes do not match their digest. They are not in the export. */
  damaged: string[];
}

/**
 * Exports the rows as of one moment, and then the bytes of their files, into a folder. The app may run meanwhile, because
 * the bytes of deleted files are kept for `DELETED_FILE_RETENTION_HOURS`. Bytes that the folder already has are not copied
 * again. So an interrupted export can be continued, and the next export copies only what is new.
 */
export async function exportApp(client: pg.ClientBase, folder: string): Promise<Exported> {
  const snapshots = join(folder, "snapshots");
  await mkdir(snapshots, { recursive: true, mode: 0o700 });
  const before = await readdir(snapshots);
  const time = new Date().toISOString();
  const snapshot = join(snapshots, time.replaceAll(":", "-"));
  await mkdir(snapshot);

  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
  const migrations = await migrationsOf(client);
  const tables: Record<string, number> = {};
  for (const table of await tablesOf(client)) tables[table] = await writeRows(client, table, rowsIn(snapshot, table));
  await client.query("COMMIT");

  const done: Record<Copied, string[]> = { copied: [], kept: [], erased: [], damaged: [] };
  await forEachFile(snapshot, async (file) => {
    done[await copyOut(folder, file)].push(file._id);
  });
  const { erased, damaged } = done;
  const manifest: Manifest = { format: 1, time, migrations, tables, missing: [...erased, ...damaged] };
  await writeDurably(manifestIn(snapshot), JSON.stringify(manifest, null, 2));
  // Deletes older snapshots, and what an interrupted export left.
  for (const name of before) await rm(join(snapshots, name), { recursive: true, force: true });
  return { ...manifest, erased, damaged, copied: done.copied.length, kept: done.kept.length };
}

async function tablesOf(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
       AND NOT relispartition AND relname <> ALL($1) ORDER BY 1`,
    [leftOut],
  );
  return rows.map(({ name }) => name);
}

async function migrationsOf(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT migration_name AS name FROM "_prisma_migrations" WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

async function writeRows(client: pg.ClientBase, table: string, path: string): Promise<number> {
  let count = 0;
  await client.query(`DECLARE page NO SCROLL CURSOR FOR SELECT row_to_json(t)::text AS row FROM ${quoted(table)} AS t`);
  const lines = async function* () {
    for (;;) {
      const { rows } = await client.query<{ row: string }>(`FETCH ${pageRows} FROM page`);
      if (rows.length === 0) return;
      count += rows.length;
      yield rows.map(({ row }) => `${row}\n`).join("");
    }
  };
  await pipeline(lines, createWriteStream(path, { mode: 0o600, flush: true }));
  await client.query("CLOSE page");
  return count;
}

async function* linesOf(path: string): AsyncGenerator<string> {
  yield* createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
}

/** Calls `work` with each file of a snapshot, several at a time. */
async function forEachFile(snapshot: string, work: (file: File) => Promise<void>): Promise<void> {
  const lines = linesOf(rowsIn(snapshot, "_storage"));
  const worker = async () => {
    for (let next = await lines.next(); !next.done; next = await lines.next()) await work(JSON.parse(next.value));
  };
  await Promise.all(Array.from({ length: copies }, worker));
}

type Copied = "copied" | "kept" | "erased" | "damaged";

async function copyOut(folder: string, file: File): Promise<Copied> {
  const path = bytesIn(folder, file.sha256);
  // A file gets this name only after its digest was verified, so comparing the size is enough.
  if ((await stat(path).catch(() => null))?.size === file.size) return "kept";
  const body = await blobs.get(file.blobKey);
  if (!body) return "erased";
  await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
  const aside = `${path}.${file._id}`;
  const hash = createHash("sha256");
  const hashed = async function* (chunks: AsyncIterable<Chunk>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
  await pipeline(body, hashed, createWriteStream(aside, { mode: 0o600, flush: true }));
  if (hash.digest("hex") !== file.sha256) {
    await rm(aside);
    return "damaged";
  }
  await rename(aside, path);
  return "copied";
}

async function writeDurably(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}

/** The result of an import. */
export interface Imported {
  /** When the rows were read. */
  time: string;
  rows: number;
  files: number;
  /** Files that were not imported, because the export does not have their bytes. */
  missing: string[];
}

/**
 * Imports an export into an empty database with the same migrations, and into the configured blob store. The digest of every
 * file is verified. Bytes come first and all rows in one transaction, so an interrupted import can be repeated.
 * @throws when the database or the store is another app's, or a file's bytes are not in the folder
 */
export async function importApp(client: pg.ClientBase, folder: string): Promise<Imported> {
  const { snapshot, manifest } = await latestSnapshot(folder);
  const migrations = await migrationsOf(client);
  if (migrations.join() !== manifest.migrations.join()) {
    throw new Error(
      "The database has other migrations than the exported one. Check out the version of the app that was exported, run " +
        "npm run db:migrate on an empty database, import, and then update.",
    );
  }
  await refuseUsed(client, Object.keys(manifest.tables));
  const missing = new Set(manifest.missing);
  let files = 0;
  await forEachFile(snapshot, async (file) => {
    if (missing.has(file._id)) return;
    await copyIn(folder, file);
    files++;
  });
  const rows = await insertRows(client, snapshot, manifest);
  return { time: manifest.time, rows, files, missing: manifest.missing };
}

async function latestSnapshot(folder: string): Promise<{ snapshot: string; manifest: Manifest }> {
  const names = await readdir(join(folder, "snapshots")).catch(() => []);
  for (const name of names.sort().reverse()) {
    const snapshot = join(folder, "snapshots", name);
    const text = await readFile(manifestIn(snapshot), "utf8").catch(() => null);
    if (text !== null) return { snapshot, manifest: manifestSchema.parse(JSON.parse(text)) };
  }
  throw new Error(`${folder} has no finished export. Run npm run kit -- export ${folder}.`);
}

/** The kit writes rows into these tables when it starts. An import replaces them. */
const ofStart = ["_system_state", "_storage_totals", "_scheduled_functions", "_calls", "_call_counts"];

async function refuseUsed(client: pg.ClientBase, tables: string[]): Promise<void> {
  for (const table of tables.filter((name) => !ofStart.includes(name))) {
    const { rowCount } = await client.query(`SELECT FROM ${quoted(table)} LIMIT 1`);
    if (rowCount) throw new Error(`The database is not empty: ${table} has rows. Import into a new database.`);
  }
  const [stored, known] = [await blobs.get(storeIdKey), await storeIdOf(client)];
  if (stored && (await new Response(stored).text()) !== known) {
    throw new Error("The blob store belongs to another database. Import into an empty store.");
  }
}

async function storeIdOf(client: pg.ClientBase): Promise<unknown> {
  const { rows } = await client.query<{ value: unknown }>(`SELECT value FROM "_system_state" WHERE key = 'storeId'`);
  return rows[0]?.value;
}

/** Stores the bytes of a file, unless an earlier import already did. */
export async function copyIn(folder: string, file: File): Promise<void> {
  const found = await blobs.head(file.blobKey);
  if (found) {
    const digest = found.sha256 ?? (await digestOf(await blobs.get(file.blobKey)));
    if (digest === file.sha256) return;
    await blobs.delete(file.blobKey);
  }
  const source = await open(bytesIn(folder, file.sha256)).catch((cause) => {
    throw new Error(`The bytes of file ${file._id} are not in ${folder}.`, { cause });
  });
  const hash = createHash("sha256");
  async function* verified() {
    for await (const chunk of source.createReadStream() as AsyncIterable<Chunk>) {
      hash.update(chunk);
      yield chunk;
    }
    if (hash.digest("hex") !== file.sha256) {
      throw new Error(`The bytes of file ${file._id} in ${folder} are damaged: they do not have their digest.`);
    }
  }
  try {
    await blobs.put(file.blobKey, verified(), file.contentType, file.size);
  } finally {
    await source.close().catch(() => undefined);
  }
}

async function digestOf(body: ReadableStream<Chunk> | null): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of body ?? []) hash.update(chunk);
  return hash.digest("hex");
}

async function insertRows(client: pg.ClientBase, snapshot: string, { tables, missing }: Manifest): Promise<number> {
  const names = Object.keys(tables);
  let count = 0;
  await client.query("BEGIN");
  try {
    // Rows reference each other in circles, so foreign keys are checked at the end. Triggers are disabled, because the
    // export has the rows that they made.
    const foreignKeys = await foreignKeysOf(client, names);
    for (const { table, name } of foreignKeys) {
      await client.query(`ALTER TABLE ${quoted(table)} DROP CONSTRAINT ${quoted(name)}`);
    }
    for (const table of names) {
      await client.query(`ALTER TABLE ${quoted(table)} DISABLE TRIGGER USER`);
      if (ofStart.includes(table)) await client.query(`DELETE FROM ${quoted(table)} WHERE ${notStoreId(table)}`);
      count += await insertTable(client, snapshot, table);
    }
    for (const { table, name, definition } of foreignKeys) {
      await client.query(`ALTER TABLE ${quoted(table)} ADD CONSTRAINT ${quoted(name)} ${definition}`);
    }
    for (const table of names) await client.query(`ALTER TABLE ${quoted(table)} ENABLE TRIGGER USER`);
    if (missing.length > 0) {
      await client.query(
        `WITH permit AS MATERIALIZED (SELECT set_config('storage.row', '*', true))
         DELETE FROM "_storage" USING permit WHERE "_id" = ANY($1::uuid[])`,
        [missing],
      );
    }
    await client.query("COMMIT");
    return count;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}

/** A database keeps the id of its own store. */
const notStoreId = (table: string) => (table === "_system_state" ? `key <> 'storeId'` : "true");

async function foreignKeysOf(client: pg.ClientBase, tables: string[]) {
  const { rows } = await client.query<{ table: string; name: string; definition: string }>(
    `SELECT relname AS "table", conname AS "name", pg_get_constraintdef(c.oid) AS "definition"
     FROM pg_constraint AS c JOIN pg_class ON pg_class.oid = conrelid
     WHERE contype = 'f' AND conparentid = 0 AND relnamespace = 'public'::regnamespace AND relname = ANY($1)`,
    [tables],
  );
  return rows;
}

async function insertTable(client: pg.ClientBase, snapshot: string, table: string): Promise<number> {
  const { rows } = await client.query<{ name: string; sequence: string | null }>(
    `SELECT attname AS "name", pg_get_serial_sequence(quote_ident($1), attname) AS "sequence" FROM pg_attribute
     WHERE attrelid = quote_ident($1)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
    [table],
  );
  const columns = rows.map(({ name }) => quoted(name)).join(", ");
  const insert = `INSERT INTO ${quoted(table)} (${columns}) OVERRIDING SYSTEM VALUE
    SELECT ${columns} FROM json_populate_recordset(NULL::${quoted(table)}, $1::json) WHERE ${notStoreId(table)}`;
  let count = 0;
  let page: string[] = [];
  const write = async () => {
    if (page.length > 0) count += (await client.query(insert, [`[${page.join()}]`])).rowCount ?? 0;
    page = [];
  };
  for await (const line of linesOf(rowsIn(snapshot, table))) {
    if (page.push(line) >= pageRows) await write();
  }
  await write();
  for (const { name, sequence } of rows.filter((column) => column.sequence !== null)) {
    await client.query(`SELECT setval($1, max(${quoted(name)})) FROM ${quoted(table)} HAVING count(*) > 0`, [sequence]);
  }
  return count;
}
