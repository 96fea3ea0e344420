import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { directUrl, withClient } from "./client.mjs";
import { PRISMA_FOLDER, readSchema } from "./schema.mjs";
import { withSchemaEngine } from "./schema-engine.mjs";

/** Everything in the schema is ours. */
const filters = { externalTables: [], externalEnums: [] };

/**
 * Applies the migrations that the database at `url` lacks, each in a transaction. Any number of processes may do this
 * at once: one applies, the others wait. Prisma's `_prisma_migrations` table records them.
 *
 * @param {string} url
 * @param {string} [folder]
 * @returns {Promise<{ applied: string[], warnings: string[] }>} names of the migrations applied, and what looks wrong
 * @throws when a migration fails, with PostgreSQL's error; the migration has left nothing behind then
 */
export async function applyMigrations(url, folder = PRISMA_FOLDER) {
  const migrationsList = await readMigrations(folder);
  return withSchemaEngine(url, async (engine) => {
    const diagnose = () => engine.diagnoseMigrationHistory({ migrationsList, filters, optInToShadowDatabase: false });
    // A migration cut off (by an error, a crash) is recorded as begun. PostgreSQL has rolled it back: forget it.
    const rollBack = async () => {
      const { failedMigrationNames: failed } = await diagnose();
      for (const migrationName of failed) await engine.markMigrationRolledBack({ migrationName });
      return failed;
    };
    await rollBack();
    const { editedMigrationNames, history } = await diagnose();
    const warnings = editedMigrationNames.map((name) => `Migration ${name} was edited after it had been applied.`);
    if (history && history.diagnostic !== "databaseIsBehind") {
      warnings.push(`The database has migrations that are not here: ${history.unpersistedMigrationNames.join(", ")}.`);
    }
    try {
      const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters });
      return { applied: appliedMigrationNames, warnings };
    } catch (cause) {
      const [failed] = await rollBack();
      if (!failed) throw cause;
      throw new Error([...warnings, `Migration ${failed} failed and was rolled back`].join("\n"), { cause });
    } finally {
      // Also when nothing was to be applied: tables come by other ways too, and those before a failure are there.
      await finishTables(url);
    }
  });
}

/**
 * Lets new tables announce their changes, as the migration `announce_changes` says, and closes them to other roles than
 * the app's, as `closed_tables` says.
 *
 * @param {string} url
 */
async function finishTables(url) {
  const app = await roleOfApp(url);
  await withClient(url, async (client) => {
    const { rows } = await client.query(
      `SELECT to_regproc('watch_tables') AS "watches", to_regproc('close_tables') AS "closes"`,
    );
    if (rows[0].watches) await client.query("SELECT watch_tables()");
    if (rows[0].closes) await client.query("SELECT close_tables(coalesce($1, current_user::text)::name)", [app]);
  });
}

/**
 * Who the app is to the database, where it is somebody else than who migrates.
 *
 * @param {string} url of the migrations
 * @returns {Promise<string | null>}
 */
async function roleOfApp(url) {
  const ofApp = process.env.DATABASE_URL;
  if (!ofApp || ofApp === url || url !== directUrl()) return null;
  return withClient(ofApp, async (client) => (await client.query("SELECT current_user AS role")).rows[0].role);
}

/**
 * The SQL that leads from the newest migration's schema to prisma/schema, or null when there is nothing to do.
 *
 * @param {string} url of any database; it is only looked at for its version
 * @param {string} [folder]
 * @returns {Promise<string | null>}
 */
export async function pendingChanges(url, folder = PRISMA_FOLDER) {
  const path = migratedSchema(folder);
  const [before, after] = [await readOptional(path), await readSchema(folder)];
  if (before === after) return null;
  /** @param {string} content */
  const schema = (content) => ({ tag: /** @type {const} */ ("schemaDatamodel"), files: [{ path, content }] });
  const from = before === null ? { tag: /** @type {const} */ ("empty") } : schema(before);
  const diff = { from, to: schema(after), script: true, exitCode: true, filters };
  const { exitCode, stdout } = await withSchemaEngine(url, (engine) => engine.diff(diff));
  return exitCode === 0 ? null : stdout;
}

/**
 * Where the change of the schema is already, when not in a migration of ours: Prisma's own commands make changes too.
 *
 * - `"nowhere"`: it is new.
 * - `"database"`: the database has it and no migration makes it, as after `prisma db push`.
 * - `"migrations"`: a migration makes it, as `prisma migrate dev` writes them.
 * - `"elsewhere"`: the database differs from both in another way; `differences` says how it would become the schema.
 *
 * @param {string} url of the development database
 * @param {string} sql of the change
 * @param {string} [folder]
 * @returns {Promise<{ place: "nowhere" | "database" | "migrations" | "elsewhere", differences: string }>}
 */
export async function whereIsChange(url, sql, folder = PRISMA_FOLDER) {
  const differences = (await differencesOf(url, folder)) ?? "";
  if (differences === sql) return { place: "nowhere", differences };
  const shadow = new URL(url);
  shadow.pathname = `/shadow_${randomUUID().replaceAll("-", "")}`;
  const name = shadow.pathname.slice(1);
  await withClient(url, (client) => client.query(`CREATE DATABASE ${name}`));
  try {
    await applyMigrations(shadow.href, folder);
    const unmade = (await differencesOf(shadow.href, folder)) ?? "";
    if (unmade === "") return { place: "migrations", differences };
    return { place: differences === "" ? "database" : "elsewhere", differences };
  } finally {
    await withClient(url, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
  }
}

/**
 * The SQL that leads from the database to prisma/schema, or null when they agree.
 *
 * @param {string} url
 * @param {string} folder
 * @returns {Promise<string | null>}
 */
async function differencesOf(url, folder) {
  const files = [{ path: migratedSchema(folder), content: await readSchema(folder) }];
  const diff = {
    from: { tag: /** @type {const} */ ("schemaDatasource"), files, configDir: folder },
    to: { tag: /** @type {const} */ ("schemaDatamodel"), files },
    script: true,
    exitCode: true,
    filters,
  };
  const { exitCode, stdout } = await withSchemaEngine(url, (engine) => engine.diff(diff));
  return exitCode === 0 ? null : stdout;
}

/**
 * Records a migration as applied without running it: the database has its changes.
 *
 * @param {string} url
 * @param {string} path of its file
 * @param {string} [folder]
 */
export async function markApplied(url, path, folder = PRISMA_FOLDER) {
  const migrationName = basename(dirname(path));
  const migrationsList = await readMigrations(folder);
  await withSchemaEngine(url, (engine) => engine.markMigrationApplied({ migrationName, migrationsList }));
}

/**
 * Remembers the schema as what all migrations together lead to.
 *
 * @param {string} [folder]
 */
export const rememberSchema = async (folder = PRISMA_FOLDER) =>
  writeFile(migratedSchema(folder), await readSchema(folder));

/**
 * The lines of a migration that delete data.
 *
 * @param {string} sql
 */
export function dataLosses(sql) {
  return (sql.match(/^.*\bDROP (TABLE|COLUMN)\b.*$/gm) ?? []).map((line) => line.trim());
}

/**
 * Writes a migration of `sql`, and remembers the schema it leads to: without a second database to replay all migrations
 * in, that copy is what the next one starts from. There is one for all migrations, so that it merges as they do.
 *
 * @param {string} name
 * @param {string} sql
 * @param {string} [folder]
 * @returns {Promise<string>} the path of the file
 */
export async function writeMigration(name, sql, folder = PRISMA_FOLDER) {
  const now = Number(new Date().toISOString().replace(/\D/g, "").slice(0, 14));
  const newest = (await readMigrations(folder)).migrationDirectories.at(-1)?.path ?? "";
  // Migrations run in the order of their names, so a new one sorts last even where the clock is behind.
  const time = Math.max(now, (Number.parseInt(newest, 10) || 0) + 1);
  const path = join(folder, "migrations", `${time}_${name}`, "migration.sql");
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, sql);
  await writeFile(join(folder, "migrations", "migration_lock.toml"), 'provider = "postgresql"\n');
  await rememberSchema(folder);
  return path;
}

/** @param {string} folder */
const migratedSchema = (folder) => join(folder, "migrations", "schema.prisma");

/**
 * All migrations, oldest first.
 *
 * @param {string} [folder]
 * @returns {Promise<import("@prisma/schema-engine-wasm").MigrationList>}
 */
export async function readMigrations(folder = PRISMA_FOLDER) {
  const baseDir = join(folder, "migrations");
  const entries = await readdir(baseDir, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const migrationDirectories = await Promise.all(
    names.sort().map(async (name) => {
      const value = await readOptional(join(baseDir, name, "migration.sql"));
      if (value === null) {
        throw new Error(
          `prisma/migrations/${name} has no migration.sql. Delete the folder, or bring the file back: git checkout -- prisma/migrations`,
        );
      }
      const content = { tag: /** @type {const} */ ("ok"), value };
      return { path: name, migrationFile: { path: "migration.sql", content } };
    }),
  );
  const lockfile = { path: "migration_lock.toml", content: await readOptional(join(baseDir, "migration_lock.toml")) };
  return { baseDir, lockfile, shadowDbInitScript: "", migrationDirectories };
}

/** @param {string} path */
const readOptional = (path) =>
  readFile(path, "utf8").catch((error) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
