import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { Pool, WrongTimeZone } from "../database/connections";
import { directDatabaseUrl, pools } from "../database/database";
import { DatabaseUnavailable } from "../database/errors";
import { liveTransport } from "../live/serve-changes";
import { describeMissing, findMissing, migrateModels } from "../live/watched";
import { env } from "../process/env";
import { type Finding, look, ok, problem, reasonOf, unknown, warning } from "./finding";

const timeoutMs = 5_000;
const migrate = "Run this with the app's settings:\nnpm run db:migrate -- --deploy";

/** Looks at the database, with connections of its own, because those of the app may all be in use. */
export async function examineDatabase(url = env.DATABASE_URL, direct = directDatabaseUrl()): Promise<Finding[]> {
  const pool = new Pool({ url, size: 2, waitTimeout: timeoutMs, statementTimeout: timeoutMs });
  try {
    const reached = await look("Database: connection", () => reach(pool), {
      explain: explainConnection,
      silent: `Can this machine reach ${pool.place}? Allow it in the firewall, or correct the host and port in DATABASE_URL.`,
    });
    if (reached.state === "problem") return [reached];
    const isPooled = await sharesSessions(pool).catch(() => false);
    return [
      reached,
      ...(await Promise.all([
        look("Database: clock", () => compareClocks(pool)),
        look("Database: notifications", () => hear(pool, isPooled, direct ?? url)),
        look("Database: connections", () => countConnections(pool, isPooled)),
        look("Database: migrations", () => compareMigrations(pool)),
        look("Database: tables", () => compareTables(pool)),
        look("Database: triggers", () => compareTriggers(pool)),
      ])),
    ];
  } finally {
    pool.end().catch(() => undefined);
  }
}

async function reach(pool: Pool) {
  const [row] = await pool.sql<{ number: number; version: string }>(
    `SELECT current_setting('server_version_num')::int AS "number", current_setting('server_version') AS "version"`,
  );
  const { number = 0, version = "" } = row ?? {};
  if (number >= 130_000) return ok(`PostgreSQL ${version} at ${pool.place} answers, in UTC.`);
  return problem(`The server is PostgreSQL ${version}.`, "Use PostgreSQL 13 or later.");
}

function explainConnection(error: unknown) {
  const reason = error instanceof DatabaseUnavailable ? error.reason : error;
  if (reason instanceof WrongTimeZone) {
    const [said = "", fix] = reason.message.split(" Run this on the database, then restart its pooler and the app: ");
    return problem(said, `Run this on the database, then restart its pooler and the app:\n${fix};`);
  }
  const advice =
    reason instanceof pg.DatabaseError && reason.code === "53300"
      ? "Close other programs' connections, raise max_connections of the server, or set a smaller DATABASE_POOL_SIZE."
      : "Correct DATABASE_URL: postgresql://user:password@host:5432/database";
  return problem(`The database cannot be used: ${reasonOf(reason)}.`, advice);
}

/** Whether a transaction pooler gives the sessions of one client to another. */
async function sharesSessions(pool: Pool): Promise<boolean> {
  const one = await pool.connect();
  const other = await pool.connect();
  const pidOf = async (client: pg.PoolClient) => (await client.query("SELECT pg_backend_pid() AS pid")).rows[0]?.pid;
  try {
    const [first, second, third] = [await pidOf(one), await pidOf(other), await pidOf(one)];
    return first === second || first !== third;
  } finally {
    one.release();
    other.release();
  }
}

/** With a larger difference between the clocks, a time that one machine writes is wrong for the other. */
const skewMs = 2_000;

async function compareClocks(pool: Pool) {
  const before = Date.now();
  const [row] = await pool.sql<{ now: number }>(`SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS "now"`);
  const after = Date.now();
  const ahead = (before + after) / 2 - (row?.now ?? 0);
  const seconds = `${(Math.abs(ahead) / 1000).toFixed(1)} s`;
  if (Math.abs(ahead) < skewMs + (after - before) / 2)
    return ok("The clocks of this machine and of the database agree.");
  return problem(
    `The clock of this machine is ${seconds} ${ahead > 0 ? "ahead of" : "behind"} the clock of the database, so URLs, jobs and ` +
      "sessions end too early or too late.",
    "Let both machines follow a time server. On Linux:\ntimedatectl set-ntp true",
  );
}

async function hear(pool: Pool, isPooled: boolean, url: string) {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  });
  client.on("error", () => undefined);
  const advice =
    "Set DIRECT_DATABASE_URL to a connection without the pooler: the port of PostgreSQL itself, on Supabase port 5432, on Neon the host " +
    "without -pooler.";
  try {
    await client.connect();
    const channel = `doctor_${randomUUID().replaceAll("-", "")}`;
    const heard = new Promise<boolean>((resolve) => client.on("notification", () => resolve(true)));
    await client.query(`LISTEN ${channel}`);
    await pool.sql("SELECT pg_notify($1, '')", [channel]);
    if (await Promise.race([heard, sleep(1_000, false, { ref: false })])) {
      return ok(
        isPooled
          ? "DATABASE_URL is a transaction pooler, and notifications arrive beside it."
          : "Notifications arrive.",
      );
    }
  } catch (error) {
    return problem(`The connection that receives changes fails: ${reasonOf(error)}.`, advice);
  } finally {
    client.end().catch(() => undefined);
  }
  const pooler = `${directDatabaseUrl() ? "DIRECT_DATABASE_URL" : "DATABASE_URL"} leads through a pooler in transaction mode, which delivers no notifications`;
  if (liveTransport() === "poll") return ok(`${pooler}. Pages poll, and need none.`);
  return warning(`${pooler}. Each process asks for changes twice a second instead.`, advice);
}

async function countConnections(pool: Pool, isPooled: boolean) {
  const needed = Object.values(pools).reduce((sum, { options }) => sum + (options.max ?? 10), 1);
  if (isPooled) return ok(`A process needs ${needed} connections, which the pooler shares.`);
  const [row] = await pool.sql<{ most: number; ofDatabase: number; ofRole: number; used: number }>(
    `SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS "most",
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS "ofDatabase",
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS "ofRole",
       (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS "used"`,
  );
  const { most = 0, ofDatabase = -1, ofRole = -1, used = 0 } = row ?? {};
  const allowed = Math.min(most, ...[ofDatabase, ofRole].filter((limit) => limit >= 0));
  const seen = `A process needs ${needed} connections, and the database allows ${allowed}, of which ${used} are in use.`;
  const smaller = Math.max(1, Math.floor((allowed / 2 - 3) / 1.5));
  const fix = `Set DATABASE_POOL_SIZE=${smaller}, allow the database more connections, or put a pooler in front of it.`;
  if (allowed < needed) return problem(seen, fix);
  if (allowed < 2 * needed) return warning(`${seen} A deployment runs two processes for a moment.`, fix);
  return ok(seen);
}

const folder = join(process.cwd(), "prisma", "migrations");

/** The migrations of this checkout, in their order; `null` where they were not deployed. */
async function readMigrations(): Promise<{ name: string; sql: string }[] | null> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  if (names.length === 0) return null;
  const read = async (name: string) => ({ name, sql: await readFile(join(folder, name, "migration.sql"), "utf8") });
  return Promise.all(names.sort().map(read));
}

async function compareMigrations(pool: Pool) {
  const migrations = await readMigrations();
  if (!migrations) return unknown("The migrations are not deployed with the app, so they cannot be compared.");
  const rows = await pool
    .sql<{ name: string }>(
      `SELECT migration_name AS "name" FROM "_prisma_migrations" WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL`,
    )
    .catch(() => []);
  const applied = new Set(rows.map(({ name }) => name));
  const missing = migrations.map(({ name }) => name).filter((name) => !applied.has(name));
  if (missing.length > 0) return problem(`The database lacks migrations: ${missing.join(", ")}.`, migrate);
  return ok(`The database has all ${migrations.length} migrations.`);
}

async function compareTables(pool: Pool) {
  const missing = await findMissing(pool);
  if (missing.length > 0) return problem(describeMissing(missing), migrateModels);
  return ok("The database has the tables and columns of all models.");
}

async function compareTriggers(pool: Pool) {
  const migrations = await readMigrations();
  if (!migrations)
    return unknown("The migrations are not deployed with the app, so triggers cannot be compared with them.");
  const wanted = triggersOf(migrations.map(({ sql }) => sql));
  const rows = await pool.sql<{ trigger: string; on: boolean }>(
    `SELECT tgname || ' ' || relname AS "trigger", tgenabled IN ('O', 'A') AS "on" FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
     WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace`,
  );
  const found = new Map(rows.map(({ trigger, on }) => [trigger, on]));
  const repairs = [...wanted].flatMap(([trigger, statement]) => {
    const [name, table] = trigger.split(" ");
    if (found.get(trigger)) return [];
    return [
      { trigger, statement: found.has(trigger) ? `ALTER TABLE "${table}" ENABLE TRIGGER "${name}";` : statement },
    ];
  });
  if (repairs.length > 0) {
    const names = repairs.map(({ trigger }) => trigger.replace(" ", " on ")).join(", ");
    const statements = repairs.map(({ statement }) => statement).join("\n");
    return problem(
      `Triggers are missing or off: ${names}.`,
      `Run this on the database, as the owner of its tables:\n${statements}`,
    );
  }
  const silent = await pool.sql<{ table: string }>(`SELECT "unwatched_tables"()::text AS "table"`);
  if (silent.length === 0) return ok(`All ${wanted.size} triggers are there, and all tables announce their changes.`);
  return warning(
    `Queries of ${silent.map(({ table }) => table).join(", ")} are not live: triggers are missing.`,
    migrate,
  );
}

/** The triggers that these migrations leave, as `<name> <table>`, with the statement that creates each. */
function triggersOf(migrations: string[]): Map<string, string> {
  const triggers = new Map<string, string>();
  for (const sql of migrations) {
    for (const [, name, table] of sql.matchAll(/^DROP TRIGGER (?:IF EXISTS )?"(\w+)" ON "(\w+)"/gm))
      triggers.delete(`${name} ${table}`);
    for (const [statement, name, table] of sql.matchAll(
      /^CREATE (?:CONSTRAINT )?TRIGGER "(\w+)"[^;]*?\bON "(\w+)"[^;]*;/gm,
    )) {
      triggers.set(`${name} ${table}`, statement);
    }
    // Matches SQL that creates the same trigger for each table of a list.
    const loops = /ARRAY\[([^\]]+)\] LOOP\s+EXECUTE format\('(CREATE TRIGGER "(\w+)"[^']*ON %I[^']*)', kept\)/g;
    for (const [, tables = "", statement = "", name] of sql.matchAll(loops)) {
      for (const [, table = ""] of tables.matchAll(/'(\w+)'/g)) {
        triggers.set(`${name} ${table}`, `${statement.replace("%I", `"${table}"`)};`);
      }
    }
  }
  return triggers;
}
