import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import nextEnv from "@next/env";
import pg from "pg";
import { DATA, ROOT } from "./checkout.mjs";

/**
 * The URL of a direct connection, for what a transaction pooler cannot do, or null when none is configured. The second and
 * third variables are those of Neon's and Vercel's integrations.
 *
 * @returns {string | null}
 */
export const directUrl = () =>
  process.env.DIRECT_DATABASE_URL || process.env.DATABASE_URL_UNPOOLED || process.env.POSTGRES_URL_NON_POOLING || null;

/**
 * Does `work` with a new connection to the database at `url`.
 *
 * @template T
 * @param {string} url
 * @param {(client: pg.Client) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withClient(url, work) {
  const client = new pg.Client({ connectionString: url });
  // Without a listener, a lost connection would end the process. The next query rejects in any case.
  client.on("error", () => undefined);
  await client.connect().catch((cause) => {
    throw unreachable(url, cause);
  });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * The error that names the database, without its password, when connecting to it failed.
 *
 * @param {string} url
 * @param {unknown} cause
 */
function unreachable(url, cause) {
  // A host with several addresses fails with one error for each.
  const errors = cause instanceof AggregateError ? cause.errors : [cause];
  const reasons = errors.map((error) => (error instanceof Error ? error.message : error)).join(", ");
  const { host, pathname } = new URL(url);
  const isUntrusted = errors.some((error) => /CERT|VERIFY_LEAF/.test(String(error?.code)));
  // src/kit/database/connections.ts has the same text.
  const advice = isUntrusted
    ? ". Download the provider's CA certificate and name its file in the URL (sslmode=verify-full&sslrootcert=/path/ca.pem), or in " +
      "NODE_EXTRA_CA_CERTS for the whole process. Or encrypt without verifying the server, on a network that you trust: sslmode=no-verify"
    : "";
  return new Error(`Cannot connect to the database ${pathname.slice(1)} on ${host}: ${reasons}${advice}`, { cause });
}

/**
 * Does `work` with the app's database: the configured one, or else the development database in `.data/postgres`, which is
 * started meanwhile when `npm run dev` is not running.
 *
 * @template T
 * @param {(url: string) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withDatabase(work) {
  const configured = configuredDatabase();
  if (configured) return work(configured);
  // The database of a deployment must outlive it.
  const { NODE_ENV, VERCEL, VERCEL_ENV } = process.env;
  // `vercel env pull` writes VERCEL=1 into .env.local, too.
  if (NODE_ENV === "production" || (VERCEL && VERCEL_ENV !== "development") || process.argv.includes("--deploy")) {
    throw new Error(
      "DATABASE_URL is not set. Set it to the URL of a PostgreSQL database, postgresql://user:password@host/name.",
    );
  }
  const { startPostgres } = await import("./postgres.mjs");
  const server = await startPostgres({ folder: join(DATA, "postgres") });
  console.error(`Using the development database in ${server.folder}`);
  const interrupted = () => void server.stop().finally(() => process.exit(130));
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted).once("SIGHUP", interrupted);
  try {
    return await work(server.url);
  } finally {
    await server.stop();
  }
}

/**
 * The host that the driver connects to, or a folder of sockets. A parameter of the URL wins over its host.
 *
 * @param {string} url
 */
export function hostOf(url) {
  const { hostname, searchParams } = new URL(url);
  return decodeURIComponent(searchParams.get("host") || hostname || "localhost").replace(/^\[|\]$/g, "");
}

/**
 * Whether a database is on this machine or in a private network, so that development may change it without asking.
 *
 * @param {string} url
 */
export function isNearby(url) {
  const host = hostOf(url);
  // A folder of sockets, or a name without a dot, such as a container's in its own network.
  if (host.startsWith("/") || !/[.:]/.test(host)) return true;
  if (/\.(localhost|local|internal|test)$/.test(host)) return true;
  if (/[a-z]/i.test(host) && !host.includes(":")) return false;
  return /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|::1$|f[cd][0-9a-f]{2}:|fe80:)/i.test(host);
}

/**
 * Asks, once for each host, before development migrates and seeds a remote database, because it may be production's.
 *
 * @param {string} url
 * @param {object} options
 * @param {boolean} options.confirmed by `--remote-database`
 * @param {string} options.memory the file of the hosts that were confirmed
 * @throws when the answer is no, or when there is no terminal to ask on
 */
export async function confirmFarDatabase(url, { confirmed, memory }) {
  if (isNearby(url)) return;
  const { pathname } = new URL(url);
  const host = hostOf(url);
  const known = (await readFile(memory, "utf8").catch(() => "")).split("\n");
  if (known.includes(host)) return console.log(`The database is ${pathname.slice(1)} on ${host}`);
  const what = `npm run dev is about to migrate and seed the database ${pathname.slice(1)} on ${host}, which is not on this machine.`;
  if (!confirmed) {
    if (!process.stdin.isTTY) {
      throw new Error(
        `${what} To allow this, run npm run dev -- --remote-database. If not, remove DATABASE_URL from .env.local.`,
      );
    }
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    const answer = await terminal.question(`${what} Continue? (yes/no) `);
    terminal.close();
    if (!/^y(es)?$/i.test(answer.trim()))
      throw new Error("Nothing was done. Remove DATABASE_URL to use a local development database.");
  }
  await mkdir(dirname(memory), { recursive: true });
  await appendFile(memory, `${host}\n`);
}

/** Reads the .env files like Next.js, and returns the database URL to migrate with, if one is configured. */
export function configuredDatabase() {
  nextEnv.loadEnvConfig(ROOT, process.env.NODE_ENV !== "production", { info: () => undefined, error: console.error });
  for (const url of [directUrl(), process.env.DATABASE_URL]) if (url) refuseSchema(url);
  return directUrl() || process.env.DATABASE_URL;
}

/**
 * Refuses a URL that asks for another schema, because migrations work in the schema `public`. The start of the app does too.
 *
 * @param {string} url
 */
function refuseSchema(url) {
  const { searchParams } = new URL(url);
  const [, option] = /search[_-]path\s*=\s*(\S+)/.exec(searchParams.get("options") ?? "") ?? [];
  const named = ["schema", "search_path", "currentSchema"].map((name) => searchParams.get(name));
  const schema = named.find(Boolean) ?? option;
  if (!schema || schema === "public") return;
  throw new Error(
    `The database URL of ${hostOf(url)} has "schema=${schema}", which has no effect here: the tables are in the schema public. ` +
      "Give the app a database of its own. Remove it.",
  );
}
