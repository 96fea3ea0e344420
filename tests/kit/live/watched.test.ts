import pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { pool, pools } from "~/kit/database/database";
import { models, tablesRead, viewTables } from "~/kit/live/reads";
import { watchModels } from "~/kit/live/watched";

const isWatched = async (table: string) => {
  const [row] = await pool.sql<{ watched: boolean }>(`SELECT is_watched('${table}'::regclass) AS watched`);
  return row?.watched;
};

beforeEach(() => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});
afterEach(() => {
  vi.restoreAllMocks();
});

test.each([
  ["lost its triggers", `DROP TRIGGER announce_update ON messages`],
  ["was restored with its triggers switched off", `ALTER TABLE messages DISABLE TRIGGER ALL`],
  ["was made by hand", `CREATE TABLE IF NOT EXISTS "by hand" (n int)`],
])("a table that %s, announces its changes again after a start", async (_, sql) => {
  await pool.query(sql);
  await watchModels();
  expect(await isWatched("messages")).toBe(true);
  if (sql.startsWith("CREATE")) expect(await isWatched('"by hand"')).toBe(true);
});

test("a role that may not give triggers is told of, with the tables and what to run", async () => {
  await pool.query("DROP TRIGGER announce_update ON messages");
  const sql = pools.upkeep.sql.bind(pools.upkeep);
  const denied = Object.assign(new pg.DatabaseError("must be owner", 0, "error"), { code: "42501" });
  vi.spyOn(pools.upkeep, "sql").mockImplementation((text, values) =>
    text.includes('"watch_table') ? Promise.reject(denied) : sql(text, values),
  );
  await watchModels();
  expect(console.warn).toHaveBeenCalledWith(expect.stringMatching(/"messages" are not live.*db:migrate/));
});

test("models whose tables or columns are missing are told of once, with what to run, and the other tables are watched", async () => {
  // Relations have no column.
  const column = { name: "pinned", type: "Boolean" };
  const relation = { name: "author", type: "User", relationName: "AuthorToLater" };
  await pool.query(`CREATE SCHEMA other; CREATE TABLE other.kept ("pinned" boolean);
    CREATE VIEW told_messages AS SELECT body FROM messages; DROP TRIGGER IF EXISTS announce_update ON messages`);
  const added = {
    Later: { dbName: null, fields: [column, relation] },
    Renamed: { dbName: "renamed", fields: [column] },
    Kept: { dbName: "kept", schema: "other", fields: [column, { ...column, name: "id", dbName: "_id" }] },
    Gone: { dbName: "gone", schema: "other", fields: [] },
    Told: { dbName: "told_messages", fields: [{ name: "text", dbName: "body", type: "String" }, column] },
  };
  Object.assign(models, added);
  await watchModels();
  await watchModels();
  for (const name of Object.keys(added)) delete models[name];
  expect(vi.mocked(console.warn).mock.calls).toEqual([
    [
      expect.stringContaining(
        'The database lacks the table "Later" of the model Later, the table "renamed" of the model Renamed, ' +
          'the column "_id" of "other"."kept", the table "other"."gone" of the model Gone, the column "pinned" of ' +
          '"told_messages". Run `npm run db:migrate -- <name>`',
      ),
    ],
  ]);
  expect(await isWatched("messages")).toBe(true);
});

test("a database without the kit's tables is told of, and nothing else is tried", async () => {
  await pool.query(`ALTER TABLE "_changes" RENAME TO "changes"`);
  expect(await watchModels()).toBe(false);
  await pool.query(`ALTER TABLE "changes" RENAME TO "_changes"`);
  expect(console.warn).toHaveBeenCalledWith(expect.stringContaining('lacks the table "_changes" of the model Change.'));
  expect(await watchModels()).toBe(true);
});

test("a view is as live as the tables it is made of, through other views too; a materialized one is told of", async () => {
  const shown = { Shown: { dbName: "shown_messages", fields: [] } };
  await pool.query(`
    CREATE VIEW inner_view AS SELECT m.*, f.name FROM messages AS m LEFT JOIN files AS f USING ("storageId");
    CREATE VIEW shown_messages AS SELECT * FROM inner_view;
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM messages`);
  Object.assign(models, { ...shown, Counted: { dbName: "counted", fields: [] } });
  await watchModels();
  expect(viewTables.get("shown_messages")?.sort()).toEqual(["files", "messages"]);
  expect([...tablesRead("shown", [[{}]].flat() as never, shown)].sort()).toEqual(["files", "messages"]);
  expect(console.warn).toHaveBeenCalledWith(expect.stringContaining('"counted" are not live'));
});
