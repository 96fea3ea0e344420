import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { examineApp, examineSecrets } from "~/kit/doctor/app";
import { examineDatabase } from "~/kit/doctor/database";
import type { Finding } from "~/kit/doctor/finding";
import { examineStore } from "~/kit/doctor/store";
import { models } from "~/kit/live/reads";
import { limits } from "~/kit/process/limits";
import { hasPgBouncer, startPgBouncer } from "../stand-ins/pgbouncer";
import { startQuietProxy, withoutParameter } from "../stand-ins/quiet-proxy";
import { startTransactionPooler } from "../stand-ins/transaction-pooler";

const url = process.env.DATABASE_URL ?? "";
const database = new pg.Client({ connectionString: url });
const name = new URL(url).pathname.slice(1);

beforeAll(() => database.connect());
afterAll(() => database.end());

/** The problems, each with its check, what was seen, and what to do. */
const wrong = (findings: Finding[]) =>
  Object.fromEntries(findings.filter(({ state }) => state !== "ok").map((each) => [each.check, each]));

test("sound surroundings have no findings", async () => {
  expect(wrong([...(await examineDatabase()), ...(await examineStore("http://app.test"))])).toEqual({});
  expect(wrong(await examineApp(new Headers({ host: "app.test" })))).toEqual({});
});

test("a database that is silent is named in time", async () => {
  const proxy = await startQuietProxy(url);
  proxy.fallSilent();
  const { checkMs } = limits;
  limits.checkMs = 300;
  expect(wrong(await examineDatabase(proxy.url))).toEqual({
    "Database: connection": expect.objectContaining({
      state: "problem",
      fix: expect.stringContaining(new URL(proxy.url).host),
    }),
  });
  limits.checkMs = checkMs;
  proxy.stop();
});

test("sessions in another time zone are named with the statement, and the password is not", async () => {
  await database.query(`ALTER DATABASE "${name}" SET timezone TO 'Asia/Tokyo'`);
  const proxy = await startQuietProxy(url, withoutParameter("TimeZone"));
  const findings = await examineDatabase(proxy.url);
  expect(findings[0]).toMatchObject({ state: "problem", message: expect.stringContaining("Asia/Tokyo") });
  expect(findings[0]?.fix).toContain(`ALTER DATABASE "${name}" SET timezone TO 'UTC';`);
  expect(JSON.stringify(findings)).not.toContain(new URL(url).password || "postgres:");
  proxy.stop();
  await database.query(`ALTER DATABASE "${name}" RESET timezone`);
});

test("a pooler in transaction mode is named with the setting", async () => {
  const pooler = await startTransactionPooler(url);
  const { "Database: notifications": found, ...others } = wrong(await examineDatabase(pooler.url));
  expect(found).toMatchObject({ state: "warning", fix: expect.stringContaining("DIRECT_DATABASE_URL") });
  expect(others).toEqual({});
  expect(wrong(await examineDatabase(pooler.url, url))).toEqual({});
  pooler.stop();
});

test.runIf(hasPgBouncer)("PgBouncer in transaction mode is named, and its connections are not counted", async () => {
  const pooler = await startPgBouncer(url);
  const findings = await examineDatabase(pooler.url);
  expect(Object.keys(wrong(findings))).toEqual(["Database: notifications"]);
  const connections = findings.find(({ check }) => check === "Database: connections");
  expect(connections?.message).toContain("which the pooler shares");
  await pooler.stop();
});

test("a clock that is wrong is named", async () => {
  const now = Date.now.bind(Date);
  const clock = vi.spyOn(Date, "now").mockImplementation(() => now() + 90_000);
  const findings = wrong(await examineDatabase());
  clock.mockRestore();
  expect(findings["Database: clock"]).toMatchObject({
    state: "problem",
    message: expect.stringMatching(/(89|90|91)\.\d s ahead/),
    fix: expect.stringContaining("timedatectl"),
  });
});

test("missing and switched off triggers are named with the statements that bring them back", async () => {
  await database.query(`DROP TRIGGER "refuse_system_write" ON "_storage"; DROP TRIGGER "refuse_in_mutation" ON "_sessions";
    ALTER TABLE "_storage_variants" DISABLE TRIGGER "list_variants"`);
  const { "Database: triggers": found } = wrong(await examineDatabase());
  for (const trigger of ["refuse_system_write on _storage", "refuse_in_mutation on _sessions", "list_variants"]) {
    expect(found?.message).toContain(trigger);
  }
  await database.query(found?.fix?.split("\n").slice(1).join("\n") ?? "");
  expect(wrong(await examineDatabase())).toEqual({});
});

test("a model without a table is named", async () => {
  Object.assign(models, { Later: { dbName: "later", fields: [] } });
  const { "Database: tables": found, ...others } = wrong(await examineDatabase());
  delete models.Later;
  expect(found).toMatchObject({ state: "problem", message: expect.stringContaining('"later" of the model Later') });
  expect(found?.fix).toContain("npm run db:migrate -- <name>");
  expect(others).toEqual({});
});

test("a missing migration is named", async () => {
  const { rows } = await database.query(
    `DELETE FROM "_prisma_migrations" WHERE migration_name LIKE '%_guard_files' RETURNING *`,
  );
  const { "Database: migrations": found } = wrong(await examineDatabase());
  expect(found).toMatchObject({ state: "problem", message: expect.stringContaining(rows[0].migration_name) });
  expect(found?.fix).toContain("npm run db:migrate");
  await database.query(
    `INSERT INTO "_prisma_migrations" (id, checksum, migration_name, finished_at, applied_steps_count) VALUES ($1, $2, $3, now(), 1)`,
    [rows[0].id, rows[0].checksum, rows[0].migration_name],
  );
});

test.each([
  [10, "problem"],
  [20, "warning"],
])("a database that allows %i connections is a %s", async (limit, state) => {
  await database.query(`ALTER DATABASE "${name}" CONNECTION LIMIT ${limit}`);
  const { "Database: connections": found } = wrong(await examineDatabase());
  await database.query(`ALTER DATABASE "${name}" CONNECTION LIMIT -1`);
  expect(found).toMatchObject({ state, message: expect.stringContaining(`allows ${limit}`) });
  expect(found?.fix).toMatch(/DATABASE_POOL_SIZE=\d/);
});

test("secrets that are short, the same, or many are named and not quoted", () => {
  const [one, other] = ["0123456789abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba9876543210"];
  const states = (APP_SECRET: string[], CRON_SECRET?: string) => examineSecrets({ APP_SECRET, CRON_SECRET });
  expect(states([one, other])).toMatchObject({ state: "ok" });
  expect(states(["short"])).toMatchObject({ state: "problem", message: expect.stringContaining("5 characters") });
  expect(states([one, "a".repeat(40)])).toMatchObject({
    state: "problem",
    message: expect.stringContaining("Secret 2"),
  });
  expect(states([one], one)).toMatchObject({ state: "problem", message: expect.stringContaining("CRON_SECRET") });
  expect(states([one, one])).toMatchObject({ state: "warning" });
  expect(states([one, other, `${one}1`, `${other}2`])).toMatchObject({ state: "warning" });
  expect(JSON.stringify([states(["a".repeat(40)]), states([one], one)])).not.toMatch(/aaaa|0123456789/);
});

test("recurring functions that never ran, and upkeep that fails, are named", async () => {
  await database.query(`UPDATE "_prisma_migrations" SET finished_at = finished_at - interval '1 day'`);
  const { "App: recurring functions": found } = wrong(await examineApp(null));
  expect(found).toMatchObject({
    message: expect.stringContaining("never ran"),
    fix: expect.stringContaining("/api/cron"),
  });
  const value = JSON.stringify({
    sweep: { failedSince: 1, error: "no permission" },
    collect: { succeeded: Date.now() },
  });
  await database.query(`INSERT INTO "_system_state" ("key", "value") VALUES ('upkeep', $1)`, [value]);
  const after = wrong(await examineApp(null));
  expect(after["App: recurring functions"]).toBeUndefined();
  expect(after["App: upkeep"]).toMatchObject({ state: "problem", message: expect.stringContaining("no permission") });
});

test.each([
  ["named where none is trusted", { "x-forwarded-for": "203.0.113.1, 10.0.0.1", host: "app.test" }, "TRUST_PROXY=2"],
  ["that ask for another host", { host: "internal:3000" }, "proxy_set_header Host $host"],
])("proxies %s", async (_, headers, fix) => {
  const { "Proxy: forwarded headers": found } = wrong(await examineApp(new Headers(headers)));
  expect(found?.fix).toContain(fix);
});

const folder = process.env.STORAGE_DISK_PATH ?? "";

test("a full disk is named", async () => {
  const { diskReserve } = limits;
  limits.diskReserve = 1;
  const { "Store: space": found } = wrong(await examineStore("http://app.test"));
  limits.diskReserve = diskReserve;
  expect(found).toMatchObject({ state: "problem", fix: expect.stringContaining(folder) });
});

test("a folder that cannot be written to is named with the commands", async () => {
  await mkdir(folder, { recursive: true });
  await rename(folder, `${folder}-away`);
  await writeFile(folder, "a file where the folder was");
  const { "Store: connection": found } = wrong(await examineStore("http://app.test"));
  await rm(folder);
  await rename(`${folder}-away`, folder);
  expect(found).toMatchObject({ state: "problem", fix: expect.stringMatching(/chown .*\n.*remount,rw/) });
});
