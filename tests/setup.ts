import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { Pool } from "~/kit/database/connections";
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
  const { storageKit } = globalThis as { storageKit?: { pools?: Record<string, Pool> } };
  // A file that needed no database need not load what does.
  if (storageKit?.pools) {
    const { flush } = await import("~/kit/log/function-log");
    if (!storageKit.pools.functions?.ended) await flush();
    await Promise.all(Object.values(storageKit.pools).map((pool) => pool.ended || pool.end()));
  }
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});
