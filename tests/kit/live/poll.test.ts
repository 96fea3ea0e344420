import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTransactionPooler } from "../stand-ins/transaction-pooler";

type Heard = string | null;

const direct = process.env.DATABASE_URL ?? "";
const pooler = await startTransactionPooler(direct);
process.env.DATABASE_URL = pooler.url;
const { onChange } = await import("~/kit/live/listener");
const { pool } = await import("~/kit/database/database");

const heard: Heard[] = [];
let look: () => void = () => undefined;
let stop: () => void;

/** Resolves when one of `tables` has arrived `times` times since, with everything that arrived. */
const hears = (tables: Heard | Heard[], times = 1) =>
  new Promise<Heard[]>((resolve) => {
    look = () => {
      if (heard.filter((each) => [tables].flat().includes(each)).length >= times) resolve(heard.splice(0));
    };
    look();
  });

async function connection() {
  const client = new pg.Client({ connectionString: direct });
  await client.connect();
  return client;
}

const insert = "INSERT INTO messages (_id, author, body, format) VALUES (gen_random_uuid(), 'a', 'b', 'text')";

let early: pg.Client;
beforeAll(async () => {
  // The connection has written before the table of changes is first read.
  early = await connection();
  await early.query(`BEGIN; ${insert}`);
  stop = onChange((table) => {
    heard.push(table);
    look();
  });
});
afterAll(async () => {
  stop();
  await early.end();
  await pool.end();
  pooler.stop();
});

test("without notifications, changes are polled for: any may have been missed", async () => {
  expect(await hears(null)).toEqual([null]);
});

test("what was written before the polling began is told when it commits", async () => {
  await early.query("COMMIT");
  expect(await hears("messages")).toEqual(["messages"]);
});

test("a change is told, once", async () => {
  await pool.query(`${insert}; TRUNCATE images`);
  await pool.query("TRUNCATE files");
  expect((await hears("files")).toSorted()).toEqual(["files", "images", "messages"]);
  await pool.query("TRUNCATE images");
  expect(await hears("images")).toEqual(["images"]);
});

test("a transaction that commits after one that began later is not skipped", async () => {
  const late = await connection();
  await late.query(`BEGIN; ${insert}`);
  await pool.query("TRUNCATE files");
  expect(await hears("files")).toEqual(["files"]);
  await late.query("COMMIT");
  expect(await hears("messages")).toEqual(["messages"]);
  await late.end();
});

test("what rolls back is not told", async () => {
  const client = await connection();
  await client.query(`BEGIN; ${insert}; ROLLBACK`);
  await client.query(`BEGIN; SAVEPOINT a; TRUNCATE images; ROLLBACK TO a; TRUNCATE files; COMMIT`);
  expect(await hears("files")).toEqual(["files"]);
  await client.end();
});

test("serializable transactions that change the same table do not conflict", async () => {
  const clients = await Promise.all([connection(), connection()]);
  for (const client of clients) await client.query(`BEGIN ISOLATION LEVEL SERIALIZABLE; ${insert}; ${insert}`);
  for (const client of clients) await client.query("COMMIT");
  expect(await hears("messages")).toEqual(["messages"]);
  for (const client of clients) await client.end();
});

test("a change while the connection is lost is told, or that any may have been missed", async () => {
  pooler.closeConnections();
  const client = await connection();
  await client.query("TRUNCATE images");
  await hears(["images", null]);
  await client.end();
});
