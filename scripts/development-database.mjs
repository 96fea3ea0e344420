import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
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
  // A deployment has a database that outlives it.
  if (process.env.NODE_ENV === "production" || process.env.VERCEL || process.argv.includes("--deploy")) {
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

/**
 * Whether a database is on this machine or in a private network, where development may do as it likes.
 *
 * @param {string} url
 */
export function isNearby(url) {
  const { hostname, searchParams } = new URL(url);
  const host = (hostname || searchParams.get("host") || "localhost").replace(/^\[|\]$/g, "");
  // A folder of sockets, or a name without a dot: a container's, in a network of its own.
  if (host.startsWith("/") || host.startsWith("%2F") || !/[.:]/.test(host)) return true;
  if (/\.(localhost|local|internal|test)$/.test(host)) return true;
  if (/[a-z]/i.test(host) && !host.includes(":")) return false;
  return /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|::1$|f[cd][0-9a-f]{2}:|fe80:)/i.test(host);
}

/**
 * Asks, once for each host, before development migrates and seeds a database that is far away: it may be production's.
 *
 * @param {string} url
 * @param {object} options
 * @param {boolean} options.confirmed by `--remote-database`
 * @param {string} options.memory the file of the hosts that were confirmed
 * @throws when the answer is no, or when there is nobody to ask
 */
export async function confirmFarDatabase(url, { confirmed, memory }) {
  if (isNearby(url)) return;
  const { host, pathname } = new URL(url);
  const known = (await readFile(memory, "utf8").catch(() => "")).split("\n");
  if (known.includes(host)) return console.log(`The database is ${pathname.slice(1)} on ${host}`);
  const what = `npm run dev is about to migrate and seed the database ${pathname.slice(1)} on ${host}, which is not on this machine.`;
  if (!confirmed) {
    if (!process.stdin.isTTY) {
      throw new Error(
        `${what} If it may, run npm run dev -- --remote-database. If not, remove DATABASE_URL from .env.local.`,
      );
    }
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    const answer = await terminal.question(`${what} May it? (yes/no) `);
    terminal.close();
    if (!/^y(es)?$/i.test(answer.trim()))
      throw new Error("Nothing was done. Remove DATABASE_URL for a database of development's own.");
  }
  await mkdir(dirname(memory), { recursive: true });
  await appendFile(memory, `${host}\n`);
}

/** Reads the .env files as Next.js does, then the URL to do migrations with, if any. */
export function configuredDatabase() {
  nextEnv.loadEnvConfig(ROOT, process.env.NODE_ENV !== "production", { info: () => undefined, error: console.error });
  return directUrl() || process.env.DATABASE_URL;
}
