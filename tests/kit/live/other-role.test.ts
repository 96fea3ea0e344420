import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, afterEach, expect, test, vi } from "vitest";

// The app's role owns nothing; the direct connection is that of the role that migrates.
const ownerUrl = process.env.DATABASE_URL ?? "";
const role = `app_${randomUUID().replaceAll("-", "")}`;
const migrator = role.replace("app", "migrator");
const owner = new pg.Client({ connectionString: ownerUrl });
await owner.connect();
await owner.query(`CREATE ROLE ${migrator} LOGIN SUPERUSER PASSWORD 'p'; CREATE ROLE ${role} LOGIN PASSWORD 'p'; GRANT USAGE ON SCHEMA public TO ${role};
  GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}; SELECT close_tables('${role}')`);
const appUrl = new URL(ownerUrl);
appUrl.username = role;
appUrl.password = "p";
process.env.DATABASE_URL = appUrl.href;
const directUrl = new URL(appUrl);
directUrl.username = migrator;
process.env.DIRECT_DATABASE_URL = directUrl.href;

const { pools } = await import("~/kit/database/database");
const { liveBy, liveByState } = await import("~/kit/live/reads");
const { watchModels } = await import("~/kit/live/watched");
liveByState.isKnown = true;

afterEach(() => {
  vi.restoreAllMocks();
  liveBy.clear();
});
afterAll(async () => {
  await owner.query(`DROP OWNED BY ${role}; DROP ROLE ${role}, ${migrator}`);
  await owner.end();
});

const column = async () =>
  (await owner.query(`SELECT "watched_column"('messages'::regclass) AS "column"`)).rows[0].column;

test("the start gives a table the triggers of liveBy over the direct connection where the app does not own it", async () => {
  expect(await pools.upkeep.sql("SELECT current_user::text AS role")).toEqual([{ role }]);
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  liveBy.set("messages", "owner");
  await watchModels();
  expect(await column()).toBe("owner");
  expect(warn).not.toHaveBeenCalled();
});

test("where the role of the direct connection may not either, the log says once which SQL to run, and that SQL works", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  await owner.query(`ALTER ROLE ${migrator} NOSUPERUSER`);
  liveBy.set("messages", "author");
  await watchModels();
  await watchModels();
  expect(warn).toHaveBeenCalledTimes(1);
  const [said] = warn.mock.calls.flat().map(String);
  expect(said).toContain("liveBy");
  await owner.query(said?.slice(said.indexOf("SELECT")) ?? "");
  expect(await column()).toBe("author");
});
