import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { pool } from "~/kit/database/database";
import { awaitChanges, onChange, pruneChanges } from "~/kit/live/listener";

type Heard = string | null;

let heard: Heard[] = [];
let look: () => void = () => undefined;
const stops: (() => void)[] = [];

/** Resolves when `what` arrives, with everything that arrived until then. */
const hears = (what: Heard) =>
  new Promise<Heard[]>((resolve) => {
    look = () => heard.includes(what) && resolve(heard.splice(0));
    look();
  });

/** Another program: it announces nothing. */
const other = new pg.Client({ connectionString: process.env.DATABASE_URL });
await other.connect();

afterAll(async () => {
  for (const stop of stops) stop();
  await other.end();
});

beforeAll(async () => {
  stops.push(
    onChange((table) => {
      heard.push(table);
      look();
    }),
    awaitChanges(),
  );
  await hears(null);
});
beforeEach(() => {
  heard = [];
});

test("a change of a program that announces nothing is heard within a second while a page is open", async () => {
  const started = Date.now();
  await other.query("TRUNCATE images");
  await hears("images");
  expect(Date.now() - started).toBeLessThan(1_000);
});

test("a role that may write a table need not be able to write the notes", async () => {
  await other.query(`CREATE ROLE clerk; GRANT INSERT ON files, _storage, messages TO clerk; GRANT USAGE ON SCHEMA public TO clerk;
    CREATE POLICY clerk ON messages TO clerk USING (true)`);
  await other.query(`SET ROLE clerk;
    INSERT INTO messages (_id, author, body, format) VALUES (gen_random_uuid(), 'a', 'b', 'text'); RESET ROLE`);
  expect(await hears("messages")).toContain("messages");
});

test("notes that were removed before this process read them count as any change", async () => {
  // Another process saw the note at once, and removes it.
  await other.query("BEGIN; TRUNCATE files; COMMIT; SELECT prune_changes(pg_current_snapshot())");
  expect(await hears(null)).toEqual([null]);
});

test("removing notes keeps those of transactions that had not ended, and drops those of another server", async () => {
  const late = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await late.connect();
  await late.query("BEGIN; TRUNCATE images");
  await other.query("TRUNCATE files");
  const { rows } = await other.query("SELECT pg_current_snapshot()::text AS seen");
  await late.query("COMMIT");
  await late.end();
  await other.query("INSERT INTO _changes VALUES (9000000000000000, 'restored')");
  await other.query("SELECT prune_changes($1::pg_snapshot)", [rows[0].seen]);
  const left = await pool.sql<{ table: string }>(`SELECT "table" FROM "_changes"`);
  expect(left.map(({ table }) => table)).toContain("images");
  expect(left.map(({ table }) => table)).not.toContain("files");
  expect(left.map(({ table }) => table)).not.toContain("restored");
});

test("each hour the notes that were there an hour ago go, also where no process listens", async () => {
  await pruneChanges();
  await other.query("TRUNCATE files");
  const notes = async () =>
    (await pool.sql<{ table: string }>(`SELECT "table" FROM "_changes"`)).map(({ table }) => table);
  await pruneChanges();
  expect(await notes()).toContain("files");
  await pruneChanges();
  expect(await notes()).not.toContain("files");
});

test("the numbers that a restored dump brings from another server do not make every look find changes", async () => {
  await other.query(`SELECT setval('"_changes_pruned"', 9000000000000000)`);
  await other.query("SELECT prune_changes(pg_current_snapshot())");
  await other.query("SELECT prune_changes('9000000000000000:9000000000000000:')");
  const [{ pruned } = { pruned: "" }] = await pool.sql<{ pruned: string }>(
    'SELECT last_value::text AS pruned FROM "_changes_pruned"',
  );
  expect(Number(pruned)).toBeLessThan(9_000_000);
});
