import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { PRISMA_FOLDER, readSchema } from "./checkout.mjs";
import { directUrl, withClient } from "./database.mjs";

/** The advisory lock that `prisma migrate` takes, too. */
const MIGRATION_LOCK = 72_707_369;

const lockTimeoutMinutes = 10;

/** @typedef {{ name: string, sql: string }} Migration */

/**
 * Applies the migrations that the database at `url` lacks, each in a transaction. When several processes call this at the
 * same time, one of them applies the migrations and the others wait. Prisma's `_prisma_migrations` table records them, so
 * that `prisma migrate` can be used as well.
 *
 * @param {string} url
 * @param {string} [folder]
 * @returns {Promise<{ applied: string[], warnings: string[] }>} names of the migrations applied, and what looks wrong
 * @throws when a migration fails, with PostgreSQL's error; the failed migration is rolled back
 */
export async function applyMigrations(url, folder = PRISMA_FOLDER) {
  const migrations = await readMigrations(folder);
  return withMigrationLock(url, async (client) => {
    const recorded = await readRecords(client);
    const warnings = migrations
      .filter((migration) => recorded.has(migration.name) && !hasChecksum(migration, recorded.get(migration.name)))
      .map(({ name }) => `Migration ${name} was edited after it had been applied.`);
    const unknown = [...recorded.keys()].filter((name) => !migrations.some((migration) => migration.name === name));
    if (unknown.length > 0) warnings.push(`The database has migrations that are not here: ${unknown.join(", ")}.`);

    /** @type {string[]} */
    const applied = [];
    for (const migration of migrations.filter(({ name }) => !recorded.has(name))) {
      await run(client, migration).catch(async (cause) => {
        await client.query("ROLLBACK"); // A migration may have begun a transaction itself.
        await finishTables(client, url);
        const failure = `Migration ${migration.name} failed and was rolled back: ${cause.message}`;
        throw new Error([...warnings, failure].join("\n"), { cause });
      });
      applied.push(migration.name);
    }
    // Tables may also come from elsewhere, so this runs even when no migration was missing.
    await finishTables(client, url);
    return { applied, warnings };
  });
}

/**
 * Runs a migration and records it. PostgreSQL runs several statements that are sent together as one transaction.
 *
 * @param {pg.Client} client
 * @param {Migration} migration
 */
async function run(client, migration) {
  const record = recordOf(migration, 1);
  if (/\bCONCURRENTLY\b/i.test(migration.sql)) {
    // Such a statement refuses to run in a transaction.
    await client.query(migration.sql);
    await client.query(record);
  } else {
    // While a statement waits for the lock of a table, all later statements on that table wait behind it.
    await client.query(`SET LOCAL lock_timeout = '30s';\n${migration.sql}\n;${record}`);
  }
}

/**
 * The statement that records a migration as applied.
 *
 * @param {Migration} migration
 * @param {0 | 1} steps 0 when the migration was not run
 */
const recordOf = ({ name, sql }, steps) =>
  `INSERT INTO "_prisma_migrations" (id, checksum, migration_name, finished_at, applied_steps_count)
   VALUES ('${randomUUID()}', '${checksumOf(sql)}', ${pg.escapeLiteral(name)}, clock_timestamp(), ${steps})`;

/**
 * Reads which migrations were applied, with their checksums, oldest first.
 *
 * @param {pg.Client} client
 * @returns {Promise<Map<string, string>>}
 */
async function readRecords(client) {
  await client.query(`CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    id VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL,
    logs TEXT,
    rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
  )`);
  // `prisma migrate` records a migration before it runs it. PostgreSQL has rolled back one that did not finish.
  await client.query(
    `UPDATE "_prisma_migrations" SET rolled_back_at = now() WHERE finished_at IS NULL AND rolled_back_at IS NULL`,
  );
  const { rows } = await client.query(
    `SELECT migration_name, checksum FROM "_prisma_migrations" WHERE rolled_back_at IS NULL ORDER BY started_at`,
  );
  return new Map(rows.map(({ migration_name, checksum }) => [migration_name, checksum]));
}

/** @param {string} sql */
const checksumOf = (sql) => createHash("sha256").update(sql).digest("hex");

/**
 * Whether a migration has this checksum. Git may have changed its line endings.
 *
 * @param {Migration} migration
 * @param {string | undefined} checksum
 */
function hasChecksum({ sql }, checksum) {
  const unix = sql.replaceAll("\r\n", "\n");
  return [sql, unix, unix.replaceAll("\n", "\r\n")].some((text) => checksumOf(text) === checksum);
}

/**
 * Calls the database functions that prepare new tables: `watch_tables` (migration `announce_changes`) lets them announce
 * their changes, and `close_tables` (migration `closed_views`) closes them, views and sequences to all roles but the app's.
 *
 * @param {pg.Client} client
 * @param {string} url
 */
async function finishTables(client, url) {
  const { rows } = await client.query(
    `SELECT to_regproc('watch_tables') AS "watches", to_regproc('close_tables') AS "closes"`,
  );
  if (rows[0].watches) await client.query("SELECT watch_tables()");
  if (!rows[0].closes) return;
  await client.query("SELECT close_tables($1::name)", [await roleOfApp(client, url)]);
}

/**
 * The app's database role, or null when it is not known.
 *
 * @param {pg.Client} client of the migrations
 * @param {string} url of the migrations
 * @returns {Promise<string | null>}
 */
async function roleOfApp(client, url) {
  const appUrl = process.env.DATABASE_URL;
  const read = async (/** @type {pg.Client} */ of) => (await of.query("SELECT current_user AS role")).rows[0].role;
  if (appUrl === url) return read(client);
  return appUrl && url === directUrl() ? withClient(appUrl, read) : null;
}

/**
 * Does `work` while no other process migrates. A second connection holds the lock in a transaction: a transaction pooler
 * would keep a session's lock after the process has died. Waiting means polling, because waiting inside PostgreSQL would
 * occupy connections of the pooler that the process with the lock needs.
 *
 * @template T
 * @param {string} url
 * @param {(client: pg.Client) => Promise<T>} work
 * @returns {Promise<T>}
 */
function withMigrationLock(url, work) {
  return withClient(url, async (lock) => {
    const deadline = Date.now() + lockTimeoutMinutes * 60_000;
    for (;;) {
      await lock.query("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0");
      const { rows } = await lock.query("SELECT pg_try_advisory_xact_lock($1) AS taken", [MIGRATION_LOCK]);
      if (rows[0].taken) break;
      await lock.query("ROLLBACK");
      if (Date.now() > deadline) {
        throw new Error(
          `Another process has held the migration lock for ${lockTimeoutMinutes} minutes. If no process is migrating, a pooler ` +
            "keeps a session that holds it. Set DIRECT_DATABASE_URL to a direct connection, and end that session there:\n" +
            `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = ${MIGRATION_LOCK}`,
        );
      }
      await sleep(200 + 200 * Math.random());
    }
    try {
      return await withClient(url, work);
    } finally {
      // Releases the lock now. The server may notice the end of the connection later.
      await lock.query("ROLLBACK").catch(() => undefined);
    }
  });
}

/**
 * Records a migration as applied without running it, for a database that already has its changes.
 *
 * @param {string} url
 * @param {string} path of its file
 * @param {string} [folder]
 */
export async function markApplied(url, path, folder = PRISMA_FOLDER) {
  const name = basename(dirname(path));
  const migration = (await readMigrations(folder)).find((migration) => migration.name === name);
  if (!migration) throw new Error(`${path} is not a migration of ${folder}.`);
  await withMigrationLock(url, (client) => client.query(recordOf(migration, 0)));
}

/**
 * Writes a migration of `sql`, and a copy of the schema that it leads to. The next migration starts from that copy, so that
 * no second database is needed to replay all migrations in. There is one copy for all migrations, so that Git merges it.
 *
 * @param {string} name
 * @param {string} sql
 * @param {string} [folder]
 * @returns {Promise<string>} the path of the file
 */
export async function writeMigration(name, sql, folder = PRISMA_FOLDER) {
  const now = Number(new Date().toISOString().replace(/\D/g, "").slice(0, 14));
  const newest = (await folderNames(folder)).at(-1) ?? "";
  // Migrations run in the order of their names, so a new one must sort last even when the clock is wrong.
  const time = Math.max(now, (Number.parseInt(newest, 10) || 0) + 1);
  const path = join(folder, "migrations", `${time}_${name}`, "migration.sql");
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, sql);
  await writeFile(join(folder, "migrations", "migration_lock.toml"), 'provider = "postgresql"\n');
  await rememberSchema(folder);
  return path;
}

/**
 * Copies prisma/schema to prisma/migrations/schema.prisma, the schema that all migrations together lead to.
 *
 * @param {string} [folder]
 */
export const rememberSchema = async (folder = PRISMA_FOLDER) =>
  writeFile(migratedSchema(folder), await readSchema(folder));

/** @param {string} folder */
export const migratedSchema = (folder) => join(folder, "migrations", "schema.prisma");

/**
 * All migrations, oldest first.
 *
 * @param {string} [folder]
 * @returns {Promise<Migration[]>}
 */
export async function readMigrations(folder = PRISMA_FOLDER) {
  const read = async (/** @type {string} */ name) => {
    const sql = await readFile(join(folder, "migrations", name, "migration.sql"), "utf8").catch((cause) => {
      if (cause.code !== "ENOENT") throw cause;
      throw new Error(
        `prisma/migrations/${name} has no migration.sql. Delete the folder, or restore the file: git checkout -- prisma/migrations`,
        { cause },
      );
    });
    return { name, sql };
  };
  return Promise.all((await folderNames(folder)).map(read));
}

/** @param {string} folder */
async function folderNames(folder) {
  const entries = await readdir(join(folder, "migrations"), { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}
