import { createHash, randomUUID } from "node:crypto";
import { readdir, realpath, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withClient } from "./database.mjs";
import { applyMigrations, readMigrations } from "./migrations.mjs";
import { killPostgres, startPostgres } from "./postgres.mjs";
import { identify } from "./processes.mjs";

/** Test data need not survive a crash. Each core runs a test file with a pool of connections. */
const FAST = { fsync: "off", synchronous_commit: "off", full_page_writes: "off", max_connections: "1000" };

/** Databases may have any time zone. This one has an offset of half an hour, and daylight saving time. */
const DATABASE_ZONE = "America/St_Johns";

/**
 * The locales that sort text: "ch" follows "h" in Czech, "å" follows "z" in Swedish, and Turkish has another small "I". Each
 * day has one locale, so that a failure can be reproduced. TEST_LOCALE chooses another.
 */
const LOCALES = ["cs-CZ", "sv-SE", "tr-TR"];
const DATABASE_LOCALE = process.env.TEST_LOCALE ?? LOCALES[new Date().getUTCDate() % LOCALES.length];

const PREFIX = "next-trpc-storage-test-";

/**
 * Starts a temporary PostgreSQL server with a template database that has all migrations. `createDatabase` clones it.
 *
 * @param {Record<string, string>} [settings] of PostgreSQL
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>} the superuser's URL, and `stop`, which deletes all files
 */
export async function startTestPostgres(settings = FAST) {
  const parent = await (settings === FAST ? fastFolder() : tmpdir());
  for (const name of await readdir(parent)) {
    // A test run that was killed left it behind.
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : process.pid;
    if (!(await identify(pid))) await discard(join(parent, name));
  }
  const folder = join(parent, `${PREFIX}${process.pid}-${randomUUID().slice(0, 8)}`);
  const server = await startPostgres({ folder, settings });
  const stop = async () => {
    await server.stop();
    await discard(folder);
  };
  try {
    await prepareTemplate(server.url);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: server.url, stop };
}

/** Linux keeps /dev/shm in memory, where cloning takes a tenth of the time. Containers often have too little of it. */
async function fastFolder() {
  const memory = await statfs("/dev/shm").catch(() => null);
  return memory && memory.bavail * memory.bsize > 4 * 2 ** 30 ? "/dev/shm" : tmpdir();
}

/** @param {string} folder */
async function discard(folder) {
  const home = await realpath(folder).catch(() => folder);
  await killPostgres(home);
  for (const path of [home, folder]) await rm(path, { recursive: true, force: true, maxRetries: 5 });
}

/**
 * Creates the template on the server at `url`, unless it exists for the current migrations.
 *
 * @param {string} url of a database whose user can create databases
 * @param {string} [sql] to run after the migrations
 * @returns {Promise<string>} the template's name
 */
export async function prepareTemplate(url, sql = "") {
  const name = await templateName(sql);
  await withClient(url, async (client) => {
    await client.query("SELECT pg_advisory_lock(hashtext($1))", [name]);
    const { rowCount } = await client.query("SELECT FROM pg_database WHERE datname = $1 AND datistemplate", [name]);
    if (rowCount) return;
    await client.query(`DROP DATABASE IF EXISTS ${name}`);
    await client.query(`CREATE DATABASE ${name} ${await localeOf(client)}`);
    await applyMigrations(databaseUrl(url, name));
    if (sql) await withClient(databaseUrl(url, name), (template) => template.query(sql));
    await client.query(`ALTER DATABASE ${name} IS_TEMPLATE true ALLOW_CONNECTIONS false`);
  });
  return name;
}

/**
 * The options that create a database with `DATABASE_LOCALE`, or none when the server was built without ICU.
 *
 * @param {import("pg").Client} client
 */
async function localeOf(client) {
  const { rowCount } = await client.query("SELECT FROM pg_collation WHERE collprovider = 'i' LIMIT 1");
  return rowCount ? `TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE '${DATABASE_LOCALE}'` : "";
}

/**
 * Creates a database with the migrated, empty tables.
 *
 * @param {string} url of the server, from `startTestPostgres`
 * @param {string} [sql] to run after the migrations
 * @returns {Promise<{ url: string, drop: () => Promise<void> }>}
 */
export async function createDatabase(url, sql = "") {
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  const template = await prepareTemplate(url, sql);
  await withClient(url, async (client) => {
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
    await client.query(`ALTER DATABASE ${name} SET timezone TO '${DATABASE_ZONE}'`);
  });
  const drop = async () => void (await withClient(url, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`)));
  return { url: databaseUrl(url, name), drop };
}

/** @param {string} sql */
async function templateName(sql) {
  const content = JSON.stringify([await readMigrations(), DATABASE_LOCALE, sql]);
  return `template_${createHash("sha256").update(content).digest("hex").slice(0, 16)}`;
}

/**
 * @param {string} url
 * @param {string} name
 */
function databaseUrl(url, name) {
  const result = new URL(url);
  result.pathname = `/${name}`;
  return result.href;
}
