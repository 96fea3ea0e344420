import pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { applyMigrations } from "../../scripts/migrations.mjs";
import { eventually } from "./eventually";
import { hasPgBouncer, startPgBouncer } from "./stand-ins/pgbouncer";

// The app through PgBouncer, in transaction mode. Everything here connects by DATABASE_URL alone.

const direct = process.env.DATABASE_URL ?? "";

if (!hasPgBouncer)
  console.warn("PgBouncer is not installed: the tests of poolers are skipped (apt install pgbouncer).");

describe.runIf(hasPgBouncer)("through PgBouncer", () => {
  let pooler: Awaited<ReturnType<typeof startPgBouncer>>;

  beforeAll(async () => {
    pooler = await startPgBouncer(direct);
    vi.stubEnv("DATABASE_URL", pooler.url);
    // Modules read it when they are loaded.
    vi.resetModules();
    Reflect.deleteProperty(globalThis, "storageKit");
  });
  afterAll(async () => {
    const { pools } = await import("~/kit/database/database");
    for (const pool of Object.values(pools)) await pool.end();
    await pooler.stop();
    vi.unstubAllEnvs();
  });

  test("the main flow works, with uploads, rate limits and many calls at once", async () => {
    const { api, post } = await import("./caller");
    const flow = async (n: number) => {
      const response = await post(await api.files.generateUploadUrl(), `file ${n}`);
      const { storageId }: { storageId: string } = await response.json();
      await api.files.saveFile({ storageId, name: `${n}.txt` });
      await api.messages.sendMessage({ author: "a", body: `message ${n}` });
      return api.files.getUrl({ storageId });
    };
    const urls = await Promise.all(Array.from({ length: 30 }, (_, n) => flow(n)));
    expect(new Set(urls).size).toBe(30);
  });

  test("an HTTP action works", async () => {
    const [{ serveHttp }, { app }] = await Promise.all([import("~/kit/http/serve-http"), import("~/functions")]);
    const body = JSON.stringify({ author: "a", body: "b" });
    const request = () => new Request("http://app.test/http/postMessage", { method: "POST", body });
    const answers = await Promise.all(Array.from({ length: 10 }, () => serveHttp(app.http)(request())));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
  });

  test("changes are heard of, although it delivers no notifications", async () => {
    vi.spyOn(console, "warn").mockReturnValue();
    const { changesSince } = await import("~/kit/live/change-log");
    const { api } = await import("./caller");
    const end = new AbortController();
    const changes = changesSince(null, end.signal);
    const heard = new Set<string>();
    void (async () => {
      for await (const change of changes) for (const table of change?.tables ?? []) heard.add(table);
    })().catch(() => undefined);
    await eventually(async () => {
      await api.messages.sendMessage({ author: "a", body: "heard" });
      expect([...heard]).toContain("messages");
    });
    end.abort();
  });

  test("jobs run, once each", async () => {
    const { prisma } = await import("~/kit/database/database");
    const { runDueJobs } = await import("~/kit/jobs/runner");
    const data = Array.from({ length: 20 }, (_, n) => ({
      name: "messages.sendOne",
      args: { json: { author: "pooled", body: `${n}` } },
      scheduledTime: new Date(),
    }));
    await prisma.scheduledFunction.createMany({ data });
    await Promise.all([runDueJobs(5_000), runDueJobs(5_000)]);
    expect(await prisma.message.count({ where: { author: "pooled" } })).toBe(20);
  });

  test("migrating leaves no lock behind, one at a time and several at once", async () => {
    const client = new pg.Client({ connectionString: direct });
    client.on("error", () => undefined);
    await client.connect();
    // Other tests migrate other databases of this server meanwhile.
    const sql = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 72707369
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    const locks = async () => (await client.query(sql)).rowCount;
    for (let n = 0; n < 3; n++) await applyMigrations(pooler.url);
    expect(await locks()).toBe(0);
    await Promise.all([1, 2, 3, 4].map(() => applyMigrations(pooler.url)));
    expect(await locks()).toBe(0);
    await client.end();
  });
});
