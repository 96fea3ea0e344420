import { createDatabase as clone } from "../scripts/test-postgres.mjs";

/**
 * Makes a migrated, empty database for one test file, in vitest or Playwright. Call `drop` after it; no connection need
 * be closed before.
 */
export function createDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const server = process.env.TEST_DATABASE_URL;
  if (!server)
    throw new Error("TEST_DATABASE_URL is not set: tests/global-setup.ts sets it when it is the global setup.");
  return clone(server);
}
