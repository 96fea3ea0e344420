import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, rm, watch, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { isServerOf, killPostgres, type Postgres, startPostgres } from "../../../scripts/postgres.mjs";
import { identify } from "../../../scripts/processes.mjs";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const settings = { fsync: "off" };
let parent: string;
let folder: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "postgres-test-"));
  await chmod(parent, 0o755);
  folder = join(parent, "postgres");
});

afterEach(async () => {
  await killPostgres(folder);
  await rm(parent, { recursive: true, force: true, maxRetries: 10 });
});

test("a server is known by its files on Windows too, where PostgreSQL writes the path with other slashes", () => {
  const line = '11/28/2026 C:/Program Files/pg/bin/postgres.exe -D "C:/app/.data/postgres/data" -c port=5432';
  expect(isServerOf("C:\\app\\.data\\postgres\\data", line)).toBe(true);
  expect(isServerOf("C:\\other\\.data\\postgres\\data", line)).toBe(false);
  expect(isServerOf("/app/.data/postgres/data", "1 postgres -D /app/.data/postgres/data")).toBe(true);
  expect(isServerOf("/app/.data/postgres/data", null)).toBe(false);
});

/** Starts it in a script of its own, and kills that script. Resolves to the server's pid. */
async function startInKilledScript(): Promise<number> {
  const module = JSON.stringify(new URL("../../../scripts/postgres.mjs", import.meta.url));
  const options = JSON.stringify({ folder, settings });
  const code = `const { startPostgres } = await import(${module}); console.log((await startPostgres(${options})).pid)`;
  const script = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  const [pid] = await once(script.stdout, "data");
  script.kill("SIGKILL");
  await once(script, "exit");
  return Number(pid);
}

async function query(server: Postgres, sql: string, password?: string) {
  const url = new URL(server.url);
  if (password !== undefined) url.password = password;
  const client = new pg.Client({ connectionString: url.href });
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test("a server answers on loopback to its password alone, until it is stopped", async () => {
  const server = await startPostgres({ folder, settings });
  expect(await query(server, "SHOW listen_addresses")).toEqual([{ listen_addresses: "127.0.0.1" }]);
  expect(await query(server, "SHOW fsync")).toEqual([{ fsync: "off" }]);
  await expect(query(server, "SELECT 1", "wrong")).rejects.toThrow("password authentication failed");
  await server.stop();
  expect(await identify(server.pid)).toBeNull();
  await expect(query(server, "SELECT 1")).rejects.toThrow("ECONNREFUSED");
});

test("the server of a killed script is taken over, then stopped", async () => {
  const pid = await startInKilledScript();
  const server = await startPostgres({ folder });
  expect(server.pid).toBe(pid);
  await server.stop();
  expect(await identify(pid)).toBeNull();
});

test("of two users of a server, the second to leave stops it", async () => {
  const [first, second] = await Promise.all([startPostgres({ folder, settings }), startPostgres({ folder, settings })]);
  expect(second.pid).toBe(first.pid);
  await first.stop();
  expect(await query(second, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  await second.stop();
  expect(await identify(second.pid)).toBeNull();
});

test("what was committed before a server is killed is there after the next start", async () => {
  const pid = await startInKilledScript();
  const before = await startPostgres({ folder });
  await query(before, "CREATE TABLE kept ()");
  process.kill(pid, "SIGKILL");
  const after = await startPostgres({ folder });
  // Its server is gone, and this one is not its own.
  await before.stop();
  expect(await query(after, "SELECT to_regclass('kept') AS found")).toEqual([{ found: "kept" }]);
  await after.stop();
});

test("a pid file whose pid another program has by now does not stop a start", async () => {
  const first = await startPostgres({ folder, settings });
  await first.stop();
  await writeFile(join(folder, "data", "postmaster.pid"), `${process.pid}\n${folder}/data\n0\n1\n\n127.0.0.1\n`);
  const second = await startPostgres({ folder });
  expect(second.pid).not.toBe(process.pid);
  await second.stop();
});

test("a script killed while it makes the data folder leaves nothing that hinders the next start", async () => {
  const madeDraft = (async () => {
    for await (const { filename } of watch(parent)) if (filename?.startsWith("postgres.new-")) return filename;
    throw new Error("no draft was made");
  })();
  const module = JSON.stringify(new URL("../../../scripts/postgres.mjs", import.meta.url));
  const code = `const { startPostgres } = await import(${module}); await startPostgres(${JSON.stringify({ folder })})`;
  const script = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: "inherit" });
  await madeDraft;
  script.kill("SIGKILL");
  await once(script, "exit");
  expect(await readdir(parent)).toEqual([expect.stringMatching(`^postgres\\.new-${script.pid}-`)]);
  const server = await startPostgres({ folder, settings });
  expect(await readdir(parent)).toEqual(["postgres"]);
  await server.stop();
});
