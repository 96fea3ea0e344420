import pg from "pg";
import { compare } from "../report.mjs";

const connections = [1, 16, 32, 64];
const rounds = 5;
/** Milliseconds that one figure takes. */
const duration = 2_000;

/**
 * What announcing changes costs: commits a second, each of one insert into a table of the app's, and calls of a mutation over
 * two processes.
 *
 * @param {import("../bench.mjs").Bench} bench
 */
export async function commits(bench) {
  const one = await bench.newApp();
  // It only reads: both look for what the transactions changed.
  const other = await bench.newApp({ beside: one.databaseUrl });
  await bench.load.openStreams({ port: one.port, path: changesPath, count: 1 });
  await setUp(one.databaseUrl);
  const results = [];
  for (const count of connections) {
    /** @param {string} table */
    const measure = (table) => () => commitsPerSecond(one.databaseUrl, count, table);
    results.push(
      await compare({
        title: `Transactions of one insert over ${count} connections`,
        unit: "commits/s",
        rounds,
        contenders: [
          { name: "announced as the app does", measure: measure("messages") },
          { name: "not announced", measure: measure("bench_silent"), target: 0.8 },
          { name: "pg_notify in the transaction", measure: measure("bench_notified") },
        ],
      }),
    );
  }
  await bench.load.closeStreams({});
  await Promise.all([one.stop(), other.stop()]);
  return [...results, await mutations(bench)];
}

const changesPath = "/api/trpc/_kit.changes";
const unlimited = { RATE_LIMIT_MESSAGES: "1000000" };

/** Tables like the app's, but with other triggers. @param {string} databaseUrl */
async function setUp(databaseUrl) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`
    CREATE TABLE bench_silent (LIKE messages INCLUDING ALL);
    CREATE TABLE bench_notified (LIKE messages INCLUDING ALL);
    CREATE FUNCTION bench_notify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF EXISTS (SELECT FROM changed) THEN PERFORM pg_notify('bench', TG_TABLE_NAME); END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER bench_notify AFTER INSERT ON bench_notified REFERENCING NEW TABLE AS changed
      FOR EACH STATEMENT EXECUTE FUNCTION bench_notify()`);
  await client.end();
}

/** @param {string} databaseUrl @param {number} count @param {string} table */
async function commitsPerSecond(databaseUrl, count, table) {
  const clients = Array.from({ length: count }, () => new pg.Client({ connectionString: databaseUrl }));
  await Promise.all(clients.map((client) => client.connect()));
  const insert = {
    name: "insert",
    text: `INSERT INTO ${table} ("_id", "author", "body", "format") VALUES (gen_random_uuid(), 'bench', 'text', 'text')`,
  };
  await Promise.all(clients.map((client) => client.query(insert)));
  const started = performance.now();
  let committed = 0;
  await Promise.all(
    clients.map(async (client) => {
      for (; performance.now() - started < duration; committed++) await client.query(insert);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  await Promise.all(clients.map((client) => client.end()));
  return committed / seconds;
}

/** @param {import("../bench.mjs").Bench} bench */
async function mutations({ load, newApp }) {
  const one = await newApp({ settings: unlimited });
  const other = await newApp({ beside: one.databaseUrl, settings: unlimited });
  /** @param {number} concurrency of both together */
  const send = (concurrency) => async () => {
    const call = {
      method: "POST",
      path: "/api/trpc/messages.sendMessage",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ json: { author: "bench", body: "text" } }),
    };
    const calls = Array.from({ length: 500 }, () => call);
    const repeat = ({ port = 0 }) => load.repeat({ port, concurrency: concurrency / 2, calls });
    return (2 * calls.length) / Math.max(...(await Promise.all([repeat(one), repeat(other)])));
  };
  const result = await compare({
    title: "messages.sendMessage over two processes",
    unit: "calls/s",
    rounds,
    contenders: [
      { name: "64 at once", measure: send(64) },
      { name: "16 at once", measure: send(16) },
    ],
  });
  await Promise.all([one.stop(), other.stop()]);
  return result;
}
