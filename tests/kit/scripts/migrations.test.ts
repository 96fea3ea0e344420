import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PRISMA_FOLDER, readSchema } from "../../../scripts/checkout.mjs";
import { applyMigrations, markApplied, migratedSchema, writeMigration } from "../../../scripts/migrations.mjs";
import { dataLosses, pendingChanges, whereIsChange } from "../../../scripts/schema-changes.mjs";
import { createDatabase } from "../../database";

const BASE = `
generator client {
  provider = "prisma-client"
  output   = "generated"
}

datasource db {
  provider = "postgresql"
}

model Book {
  id    Int    @id
  title String
}
`;

let folder: string;
let client: pg.Client;
let database: Awaited<ReturnType<typeof createDatabase>>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "migrations-test-"));
  await mkdir(join(folder, "schema"));
  await writeFile(join(folder, "schema", "app.prisma"), BASE);
  database = await createDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
});

afterEach(async () => {
  await client.end();
  await database.drop();
  await rm(folder, { recursive: true });
});

/** Writes a migration of what changed, without applying it. Resolves to its name. */
async function migrate(name: string, sql?: string): Promise<string> {
  const path = await writeMigration(name, sql ?? (await pendingChanges(database.url, folder)) ?? "", folder);
  return basename(dirname(path));
}

const apply = () => applyMigrations(database.url, folder);

async function changeSchema(from: string, to: string) {
  const path = join(folder, "schema", "app.prisma");
  await writeFile(path, (await readFile(path, "utf8")).replace(from, to));
}

test("a migration waits for a lock that others hold for 30 seconds at most", async () => {
  await migrate(
    "waits",
    `DO $$ BEGIN IF current_setting('lock_timeout') <> '30s' THEN RAISE EXCEPTION 'It would wait without end'; END IF; END $$;`,
  );
  await apply();
});

test("what changed in the schema becomes a migration, applied once", async () => {
  const init = await migrate("init");
  expect(await pendingChanges(database.url, folder)).toBeNull();
  expect(await apply()).toEqual({ applied: [init], warnings: [] });
  expect(await apply()).toEqual({ applied: [], warnings: [] });

  await changeSchema("title String", "title String\n  pages Int?");
  expect(await pendingChanges(database.url, folder)).toContain('ALTER TABLE "Book" ADD COLUMN     "pages" INTEGER;');
  const pages = await migrate("pages");
  expect((await readdir(join(folder, "migrations"))).sort()).toEqual([
    init,
    pages,
    "migration_lock.toml",
    "schema.prisma",
  ]);
  expect(await apply()).toEqual({ applied: [pages], warnings: [] });
  await client.query(`INSERT INTO "Book" (id, title, pages) VALUES (1, 'one', 2)`);
  const { rows } = await client.query("SELECT migration_name FROM _prisma_migrations ORDER BY started_at");
  expect(rows).toEqual([{ migration_name: init }, { migration_name: pages }]);
});

test("a new table announces its changes once its migration is applied", async () => {
  await migrate("init");
  const path = "prisma/migrations/20261121091000_announce_changes/migration.sql";
  await migrate("announce_changes", await readFile(path, "utf8"));
  await apply();
  await changeSchema("model Book", "model Shelf {\n  id Int @id\n}\n\nmodel Book");
  await migrate("shelves");
  await apply();
  const { rows } = await client.query(`SELECT tgname FROM pg_trigger WHERE tgrelid = '"Shelf"'::regclass ORDER BY 1`);
  const names = rows.map(({ tgname }) => tgname);
  expect(names).toEqual(["announce_delete", "announce_insert", "announce_truncate", "announce_update"]);
});

test("a comment in the schema is nothing to migrate", async () => {
  await migrate("init");
  await changeSchema("model Book", "/// To read.\nmodel Book");
  expect(await pendingChanges(database.url, folder)).toBeNull();
});

test("five processes that migrate at once apply each migration once", async () => {
  const init = await migrate("init");
  const results = await Promise.all(Array.from({ length: 5 }, apply));
  expect(results.flatMap(({ applied }) => applied)).toEqual([init]);
});

test("a migration with function bodies is run whole", async () => {
  await migrate("init", "CREATE FUNCTION two() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 2; END $$;");
  await apply();
  expect((await client.query("SELECT two()")).rows).toEqual([{ two: 2 }]);
});

test("a migration that fails leaves nothing behind, and is applied once it is corrected", async () => {
  const name = await migrate("init", "CREATE TABLE one (); CREATE TABLE two (id nonsense);");
  await expect(apply()).rejects.toThrow(`Migration ${name} failed and was rolled back: type "nonsense" does not exist`);
  expect((await client.query("SELECT to_regclass('one') AS one")).rows).toEqual([{ one: null }]);
  await writeFile(join(folder, "migrations", name, "migration.sql"), "CREATE TABLE one ();");
  expect(await apply()).toEqual({ applied: [name], warnings: [] });
});

test("a migration edited after it was applied, and one the database alone has, are warned of", async () => {
  const init = await migrate("init", "CREATE TABLE one ();");
  const second = await migrate("second", "CREATE TABLE two ();");
  await apply();
  await writeFile(join(folder, "migrations", init, "migration.sql"), "CREATE TABLE uno ();");
  await rm(join(folder, "migrations", second), { recursive: true });
  expect((await apply()).warnings).toEqual([
    `Migration ${init} was edited after it had been applied.`,
    `The database has migrations that are not here: ${second}.`,
  ]);
});

test("a new migration sorts after all others, also those from the future", async () => {
  await mkdir(join(folder, "migrations", "29990101000000_later"), { recursive: true });
  await writeFile(join(folder, "migrations", "29990101000000_later", "migration.sql"), "");
  expect(await migrate("init")).toBe("29990101000001_init");
});

test("dropped tables and columns are losses, dropped indexes are not", async () => {
  await migrate("init");
  await changeSchema("title String", "name String");
  const renamed = await pendingChanges(database.url, folder);
  expect(dataLosses(renamed ?? "")).toEqual(['ALTER TABLE "Book" DROP COLUMN "title",']);
  expect(dataLosses('DROP INDEX "a";\nDROP TABLE "b";')).toEqual(['DROP TABLE "b";']);
});

test("a change is found where Prisma's own commands made it: nowhere, in the database, in migrations, or half done", async () => {
  await migrate("init");
  await apply();
  await changeSchema("title String", "title String\n  pages Int?");
  const sql = (await pendingChanges(database.url, folder)) ?? "";
  const place = async () => (await whereIsChange(database.url, sql, folder)).place;
  expect(await place()).toBe("nowhere");
  // `prisma db push` does the same.
  await client.query(sql);
  expect(await place()).toBe("database");
  const path = await writeMigration("pages", sql, folder);
  await markApplied(database.url, path, folder);
  expect(await apply()).toEqual({ applied: [], warnings: [] });
  // `prisma migrate dev` leaves this state: a migration that the copy of the schema does not have.
  expect(await place()).toBe("migrations");
  await client.query('ALTER TABLE "Book" DROP COLUMN title; ALTER TABLE "Book" ADD COLUMN other INT');
  await changeSchema("pages Int?", "pages Int?\n  year Int?");
  expect(await place()).toBe("elsewhere");
});

test("a folder without its migration.sql is named", async () => {
  await migrate("init");
  await mkdir(join(folder, "migrations", "20990101000000_empty"));
  await expect(apply()).rejects.toThrow("20990101000000_empty has no migration.sql");
});

test("the copy beside the migrations is prisma/schema, so that nothing waits for a migration", async () => {
  expect(await readFile(migratedSchema(PRISMA_FOLDER), "utf8")).toBe(await readSchema());
});
