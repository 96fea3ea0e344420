import { rename, rm, writeFile } from "node:fs/promises";
import { afterEach, expect, test, vi } from "vitest";
import { pools } from "~/kit/database/database";
import { serveHealth, serveLive } from "~/kit/process/health";

const folder = process.env.STORAGE_DISK_PATH ?? "";

const answer = async () => {
  const response = await serveHealth(new Request("http://app.test/api/health"));
  return [response.status, await response.json()];
};

afterEach(() => {
  vi.restoreAllMocks();
});

test("serveHealth: 200 when database and blob store answer", async () => {
  expect(await answer()).toEqual([200, { database: "ok", storage: "ok" }]);
});

test("serveHealth: 503 names the blob store, and says nothing of why", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  await rename(folder, `${folder}-away`);
  await writeFile(folder, "a file where the folder was");
  expect(await answer()).toEqual([503, { database: "ok", storage: "unavailable" }]);
  expect(log).toHaveBeenCalledWith("Health: storage is unavailable:", expect.any(Error));
  await rm(folder);
  await rename(`${folder}-away`, folder);
});

test("serveHealth: 503 names the database", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  await pools.lookups.end();
  expect(await answer()).toEqual([503, { database: "unavailable", storage: "ok" }]);
});

test("serveLive: 200 while the process answers, also without its database", async () => {
  const response = await serveLive(new Request("http://app.test/api/health/live"));
  expect([response.status, await response.json()]).toEqual([200, { process: "ok" }]);
});
