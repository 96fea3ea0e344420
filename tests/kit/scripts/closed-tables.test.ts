import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { applyMigrations, readMigrations, writeMigration } from "../../../scripts/migrations.mjs";
import { createDatabase } from "../../database";

// Roles are of the whole server, which other tests use too.
const stranger = `stranger_${process.pid}_${Date.now()}`;
const reports = `reports_${process.pid}_${Date.now()}`;
const app = `app_${process.pid}_${Date.now()}`;

let database: Awaited<ReturnType<typeof createDatabase>>;
let client: pg.Client;

beforeAll(async () => {
  database = await createDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`CREATE ROLE ${stranger} LOGIN PASSWORD 'p'; CREATE ROLE ${app} LOGIN PASSWORD 'p';
    CREATE ROLE ${reports} LOGIN PASSWORD 'p'`);
  // Some hosts grant this to the role of a public key.
  for (const role of [stranger, app]) {
    await client.query(`GRANT USAGE ON SCHEMA public TO ${role}`);
    await client.query(
      `GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${role}`,
    );
    for (const kind of ["TABLES", "SEQUENCES", "FUNCTIONS"])
      await client.query(`ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON ${kind} TO ${role}`);
  }
  await client.query(
    `INSERT INTO "_users" ("_id", "name", "email", "updatedAt") VALUES ('u', 'U', 'u@example.com', now())`,
  );
});
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  await client.end();
  await database.drop();
  const server = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await server.connect();
  await server.query(`DROP ROLE ${stranger}; DROP ROLE ${app}; DROP ROLE ${reports}`);
  await server.end();
});

const urlOf = (role: string) => {
  const url = new URL(database.url);
  url.username = role;
  url.password = "p";
  return url.href;
};

async function as<R>(role: string, sql: string): Promise<R[]> {
  const other = new pg.Client({ connectionString: urlOf(role) });
  await other.connect();
  try {
    return (await other.query(sql)).rows;
  } finally {
    await other.end();
  }
}

const systemTables = ["_users", "_sessions", "_accounts", "_jwks", "_storage", "messages", "_prisma_migrations"];

describe("where the role that migrates is the app's", () => {
  test.each(systemTables)("no other role reads %s, although it was given the right", async (table) => {
    await client.query(
      `INSERT INTO "_jwks" ("_id", "publicKey", "privateKey") VALUES (gen_random_uuid()::text, 'a', 'b')`,
    );
    expect(await as(stranger, `SELECT * FROM "${table}"`)).toEqual([]);
    await expect(as(stranger, `DELETE FROM "${table}"`)).resolves.toEqual([]);
    expect((await client.query('SELECT FROM "_users"')).rowCount).toBe(1);
  });

  test("a cloner's own table is closed when its migration is applied", async () => {
    const folder = await mkdtemp(join(tmpdir(), "closed-"));
    for (const { name, sql } of await readMigrations()) {
      const target = join(folder, "migrations", name);
      await mkdir(target, { recursive: true });
      await writeFile(join(target, "migration.sql"), sql);
    }
    await mkdir(join(folder, "schema"));
    await writeFile(join(folder, "schema", "app.prisma"), "");
    await writeMigration(
      "notes",
      `CREATE TABLE "notes" ("id" INT PRIMARY KEY); INSERT INTO "notes" VALUES (1);`,
      folder,
    );
    await applyMigrations(database.url, folder);
    expect(await as(stranger, 'SELECT * FROM "notes"')).toEqual([]);
    expect((await client.query('SELECT FROM "notes"')).rowCount).toBe(1);
    await rm(folder, { recursive: true });
  });
});

test("where the app is another role than the one that migrates, it reads and writes, and strangers do not", async () => {
  vi.stubEnv("DIRECT_DATABASE_URL", database.url);
  vi.stubEnv("DATABASE_URL", urlOf(app));
  await applyMigrations(database.url);
  expect(await as(app, 'SELECT "name" FROM "_users"')).toEqual([{ name: "U" }]);
  await as(
    app,
    `INSERT INTO "messages" ("_id", "author", "body", "format") VALUES (gen_random_uuid(), 'a', 'b', 'text')`,
  );
  expect(await as(stranger, 'SELECT * FROM "messages"')).toEqual([]);
});

describe("what reads tables with the rights of its owner", () => {
  beforeAll(async () => {
    await client.query(`INSERT INTO "messages" ("_id", "author", "body", "format") VALUES (gen_random_uuid(), 'a', 'b', 'text');
      CREATE VIEW "bodies" AS SELECT "body" FROM "messages";
      CREATE VIEW "opened" WITH (security_invoker = false) AS SELECT "body" FROM "messages";
      CREATE MATERIALIZED VIEW "counted" AS SELECT count(*)::int AS "n" FROM "messages";
      CREATE SEQUENCE "numbers";
      GRANT USAGE ON SCHEMA public TO ${reports}; GRANT SELECT ON "counted", "opened" TO ${reports}`);
    vi.stubEnv("DIRECT_DATABASE_URL", database.url);
    vi.stubEnv("DATABASE_URL", urlOf(app));
    await applyMigrations(database.url);
    vi.unstubAllEnvs();
    // As a job that migrates and does not know the app's URL.
    await applyMigrations(database.url);
  });

  test("shows nothing to another role, although default privileges gave it the right", async () => {
    expect(await as(stranger, 'SELECT * FROM "bodies"')).toEqual([]);
    for (const sql of [
      'SELECT * FROM "opened"',
      'SELECT * FROM "counted"',
      `SELECT setval('"numbers"', 7)`,
      `SELECT setval('"_changes_pruned"', 7)`,
      'TRUNCATE "messages" CASCADE',
    ])
      await expect(as(stranger, sql), sql).rejects.toMatchObject({ code: "42501" });
  });

  test("is the app's as before", async () => {
    for (const table of ["bodies", "opened"])
      expect(await as(app, `SELECT "body" FROM "${table}" LIMIT 1`)).toEqual([{ body: "b" }]);
    expect(await as(app, 'SELECT "n" > 0 AS "some" FROM "counted"')).toEqual([{ some: true }]);
    expect(await as(app, `SELECT nextval('"numbers"')::int AS "n"`)).toEqual([{ n: 1 }]);
    await as(app, "SELECT prune_changes(pg_current_snapshot())");
  });

  test("stays open to a role that was granted it by name", async () => {
    expect(await as(reports, 'SELECT "n" > 0 AS "some" FROM "counted"')).toEqual([{ some: true }]);
    expect(await as(reports, 'SELECT "body" FROM "opened" LIMIT 1')).toEqual([{ body: "b" }]);
  });

  test.each(["announce_change", "announce_truncate", "announce_values"])(
    "%s, which runs with the rights of its owner, cannot be used by triggers of another role",
    async (name) => {
      const sql = `CREATE TEMP TABLE "files" ("x" int); CREATE TRIGGER "t" AFTER INSERT ON "files" EXECUTE FUNCTION "${name}"('x')`;
      await expect(as(stranger, sql)).rejects.toMatchObject({ code: "42501" });
    },
  );
});

test("functions that triggers run find their tables wherever the writer's search_path leads", async () => {
  const { rows } = await client.query(
    `SELECT proname FROM pg_proc JOIN pg_type ON pg_type.oid = prorettype
     WHERE pronamespace = 'public'::regnamespace AND typname = 'trigger' AND proconfig IS NULL`,
  );
  expect(rows).toEqual([]);
});
