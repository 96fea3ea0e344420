import { join } from "node:path";
import nextEnv from "@next/env";
import { DATA, ROOT } from "./checkout.mjs";
import { directUrl } from "./client.mjs";

/**
 * Does `work` with the database the app uses: that of `DATABASE_URL` (from the environment or a .env file; of
 * `DIRECT_DATABASE_URL` when the first is a pooler), or else development's own in `.data/postgres`, which is started for
 * as long as it takes when `npm run dev` does not run.
 *
 * @template T
 * @param {(url: string) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withDatabase(work) {
  const configured = configuredDatabase();
  if (configured) return work(configured);
  if (process.env.NODE_ENV === "production") {
    throw new Error("DATABASE_URL is not set: put the URL of a PostgreSQL there, postgresql://user:password@host/name");
  }
  const { startPostgres } = await import("./postgres.mjs");
  const server = await startPostgres({ folder: join(DATA, "postgres") });
  console.log(`Using the development database in ${server.folder}`);
  const interrupted = () => void server.stop().finally(() => process.exit(130));
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted).once("SIGHUP", interrupted);
  try {
    return await work(server.url);
  } finally {
    await server.stop();
  }
}

/** Reads the .env files as Next.js does, then the URL to do migrations with, if any. */
export function configuredDatabase() {
  nextEnv.loadEnvConfig(ROOT, process.env.NODE_ENV !== "production", { info: () => undefined, error: console.error });
  return directUrl() || process.env.DATABASE_URL;
}
