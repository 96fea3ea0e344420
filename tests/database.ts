import { readFile } from "node:fs/promises";
import { createDatabase as clone } from "../scripts/test-postgres.mjs";

/**
 * Makes a migrated, empty database for one test file, in vitest or Playwright. Call `drop` after it; no connection need
 * be closed before.
 */
export async function createDatabase(server = process.env.TEST_DATABASE_URL) {
  if (!server)
    throw new Error("TEST_DATABASE_URL is not set: tests/global-setup.ts sets it when it is the global setup.");
  // The kit's tests have tables of their own.
  const { TEST_TABLES } = process.env;
  return clone(server, TEST_TABLES && (await readFile(TEST_TABLES, "utf8")));
}
