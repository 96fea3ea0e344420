import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { PrismaPg } from "@prisma/adapter-pg";
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from "@prisma/driver-adapter-utils";
import pg from "pg";
import { unreachable } from "./client.mjs";

/** The advisory lock that Prisma's own migrations take. */
const MIGRATING = 72_707_369;

/** Milliseconds to wait for that lock. */
const PATIENCE = 10 * 60_000;

/** Types of PostgreSQL, as `pg_type` numbers them. */
const CHAR = 18;
const TEXT = 25;

/**
 * Runs `work` with Prisma's schema engine, connected to the database at `url`, one process at a time. It is the
 * WebAssembly build, which the npm registry has; the `prisma` command would download a native one from elsewhere.
 *
 * @template T
 * @param {string} url
 * @param {(engine: import("@prisma/schema-engine-wasm").SchemaEngine) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withSchemaEngine(url, work) {
  const lock = await takeLock(url);
  const pool = new pg.Pool({ connectionString: url, max: 1, idleTimeoutMillis: 0 });
  pool.on("error", () => undefined); // whoever waits for it hears of it
  /** @type {Error | undefined} */
  let cause;
  try {
    const adapter = new PrismaPg(pool);
    const connect = adapter.connect.bind(adapter);
    // The adapter itself cuts a script at every semicolon, also inside function bodies, and leaves the first half of a
    // failed one behind. Sent whole, PostgreSQL runs it as one transaction.
    const executeScript = async (/** @type {string} */ script) => {
      // A statement that waits for a table holds up all that come after it.
      const limited = /\bCONCURRENTLY\b/i.test(script) ? script : `SET LOCAL lock_timeout = '30s';${script}`;
      await pool.query(limited).catch((error) => {
        cause = error; // the engine's own error does not say it
        throw error;
      });
    };
    adapter.connect = async () => {
      const connected = await connect();
      const queryRaw = connected.queryRaw.bind(connected);
      // PostgreSQL's catalogues have columns of its one-byte type `"char"`, which the adapter does not know.
      /** @type {Set<number>} */
      const characters = new Set();
      const client = {
        query: async (/** @type {import("pg").QueryConfig} */ config) => {
          characters.clear();
          // The lock is held already. The engine's own would belong to a session, and stay in a transaction pooler.
          if (/^\s*SELECT pg_advisory_(un)?lock\(/i.test(config.text)) config = { text: "SELECT true" };
          const result = await pool.query(config);
          for (const [index, field] of result.fields.entries()) {
            if (field.dataTypeID !== CHAR) continue;
            field.dataTypeID = TEXT;
            characters.add(index);
          }
          return result;
        },
      };
      return Object.assign(connected, {
        executeScript,
        client,
        queryRaw: async (/** @type {Parameters<typeof queryRaw>[0]} */ query) => {
          const result = await queryRaw(query);
          for (const index of characters) result.columnTypes[index] = ColumnTypeEnum.Character;
          return result;
        },
      });
    };

    const { SchemaEngine } = await loadedOnce();
    const engine = await SchemaEngine.new(
      { datamodels: undefined },
      () => undefined, // its log
      bindMigrationAwareSqlAdapterFactory(adapter),
    );
    return await work(engine);
  } catch (error) {
    if (!cause) throw error;
    throw new Error(`${error instanceof Error ? error.message : error}: ${cause.message}`, { cause });
  } finally {
    await pool.end();
    // At once, and not when somebody notices that the connection has ended.
    await lock.query("ROLLBACK").catch(() => undefined);
    await lock.end();
  }
}

/**
 * Waits until no other process migrates. The lock belongs to a transaction: a session's would stay in a transaction pooler
 * when the process dies, and every later migration would wait for it. Nobody waits for it within PostgreSQL, where all
 * who wait would hold the few connections of a pooler that the one who has the lock needs.
 *
 * @param {string} url
 * @returns {Promise<pg.Client>} a connection that has the lock until it ends
 */
async function takeLock(url) {
  const client = new pg.Client({ connectionString: url });
  await client.connect().catch((error) => {
    throw unreachable(url, error);
  });
  client.on("error", () => undefined);
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await sleep(200 + 200 * Math.random())) {
    await client.query("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0");
    const { rows } = await client.query("SELECT pg_try_advisory_xact_lock($1) AS taken", [MIGRATING]);
    if (rows[0].taken) return client;
    await client.query("ROLLBACK");
  }
  await client.end();
  throw new Error(
    `Another process has held the lock of migrations for ${PATIENCE / 60_000} minutes. If none migrates, a session that a ` +
      "pooler keeps has it: name a direct connection in DIRECT_DATABASE_URL, and end that session there:\n" +
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = ${MIGRATING}`,
  );
}

/** @type {ReturnType<typeof load> | undefined} */
let loading;

function loadedOnce() {
  loading ??= load();
  return loading;
}

/** The package imports its wasm file like a module, which Node cannot do; so it is instantiated here. */
async function load() {
  const bindings = await import("@prisma/schema-engine-wasm/schema_engine_bg");
  const path = createRequire(import.meta.url).resolve("@prisma/schema-engine-wasm/schema_engine_bg");
  const wasm = await readFile(path.replace(/\.js$/, ".wasm"));
  const imports = Object.entries(bindings).map(([name, value]) => {
    return [name, name.startsWith("__wbg_setTimeout_") ? setTimeoutUnref : value];
  });
  const { instance } = await WebAssembly.instantiate(wasm, { "./schema_engine_bg.js": Object.fromEntries(imports) });
  bindings.__wbg_set_wasm(instance.exports);
  const start = instance.exports.__wbindgen_start;
  if (typeof start === "function") start();
  return bindings;
}

/**
 * The engine sets a timer of ten seconds for taking its lock, and leaves it. It must not keep the process alive.
 *
 * @param {() => void} callback
 * @param {number} milliseconds
 */
function setTimeoutUnref(callback, milliseconds) {
  return setTimeout(callback, milliseconds).unref();
}
