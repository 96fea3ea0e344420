import type { Pool } from "pg";
import { afterAll, expect, test, vi } from "vitest";
import { startQuietProxy } from "./stand-ins/quiet-proxy";

const attached: Pool[] = [];
vi.mock("@vercel/functions", () => ({
  attachDatabasePool: (pool: Pool) => attached.push(pool),
  waitUntil: () => undefined,
}));

const proxy = await startQuietProxy(process.env.DATABASE_URL ?? "");
proxy.fallSilent();
process.env.DATABASE_URL = proxy.url;
const { crons } = (await import("~/functions")).app;
const { serveHealth } = await import("~/kit/process/health");
const { start } = await import("~/kit/process/start");

afterAll(() => proxy.stop());

test("start refuses a basePath in a sentence, since URLs of files begin at the origin's root", async () => {
  process.env.__NEXT_ROUTER_BASEPATH = "/files";
  await expect(start({ crons })).rejects.toThrow(/below a path \(basePath "\/files".*host name/);
  delete process.env.__NEXT_ROUTER_BASEPATH;
});

test("start, with a database that says nothing, is not held up; /api/health tells of it from the first second on", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const health = async () => {
    const response = await serveHealth(new Request("http://app.test/api/health"));
    return [response.status, await response.json()];
  };
  const [, answer] = await Promise.all([start({ crons }), health()]);
  expect(answer).toMatchObject([503, { database: "unavailable" }]);
  expect(warn).toHaveBeenCalledWith(expect.stringContaining("without having checked it"));
  proxy.speakAgain();
  await vi.waitFor(async () => expect(await health()).toMatchObject([200, { database: "ok" }]), { timeout: 15_000 });
  expect(log.mock.calls.flat().join("\n")).toContain("Health: database is unavailable");
});

test("on Vercel, where somebody waits for each start, it waits for no database", async () => {
  proxy.fallSilent();
  for (const [name, value] of Object.entries({ VERCEL: "1", BLOB_STORE_ID: "store_1", STORAGE_DISK_PATH: "" }))
    vi.stubEnv(name, value);
  const warn = vi.spyOn(console, "warn").mockClear();
  await start({ crons });
  expect(warn).not.toHaveBeenCalledWith(expect.stringContaining("without having checked it"));
  expect(warn).toHaveBeenCalledWith(expect.stringContaining("CRON_SECRET is not set"));
  // Vercel closes idle connections of these before it suspends the process.
  expect(attached.map(({ options }) => options.max)).toEqual([10, 5, 2]);
  vi.unstubAllEnvs();
  proxy.speakAgain();
});
