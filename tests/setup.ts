import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { createDatabase } from "./database";

// Every test file has a database and a blob store of its own. The environment is set before the file's imports read it.
const database = await createDatabase();
const folder = await mkdtemp(join(tmpdir(), "storage-test-"));
Object.assign(process.env, {
  DATABASE_URL: database.url,
  APP_SECRET: "a secret of the tests that is long enough",
  APP_ORIGIN: "http://app.test",
  STORAGE_DISK_PATH: folder,
});

afterAll(async () => {
  // Does not load the app only to close it when a file used no database.
  const { storageKit } = globalThis as { storageKit?: { pools?: unknown } };
  if (storageKit?.pools) await (await import("~/kit/testing")).closeApp();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});
