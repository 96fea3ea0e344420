import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { initialiseHome, postgresHome } from "./postgres-home.mjs";
import { POSTGRES_ENV, postgresPrograms, postgresUser } from "./postgres-programs.mjs";
import { identify } from "./processes.mjs";

const run = promisify(execFile);

/** Every script that uses a server holds this advisory lock, shared, while it does: the last one stops the server. */
const IN_USE = 7_232_510;

/** Milliseconds that a server may take to recover after a crash, or to stop. */
const PATIENCE = 60_000;

/**
 * @typedef {object} Postgres
 * @property {string} url of the database `postgres`, as the superuser
 * @property {number} port
 * @property {number} pid
 * @property {string} folder where its files really are
 * @property {() => Promise<void>} stop shuts it down, unless another script still uses it
 */

/**
 * Starts the PostgreSQL that keeps its files in `folder`, made when missing; or takes over one that runs there already,
 * left behind by a killed script or started by another. It listens on loopback, wants a password, and outlives the
 * calling process unless `stop` is called.
 *
 * @param {object} options
 * @param {string} options.folder absolute
 * @param {number} [options.port] a free one unless given
 * @param {Record<string, string>} [options.settings] of PostgreSQL, for a server started here
 * @returns {Promise<Postgres>}
 */
export async function startPostgres({ folder, port, settings = {} }) {
  const user = postgresUser();
  const [home, programs] = [await postgresHome(folder, user), await postgresPrograms(user)];
  const data = join(home, "data");
  if (!existsSync(home)) await initialiseHome(home, programs.initdb, user, settings.fsync === "off");
  const owner = await ownerOf(home, user);
  const password = await readFile(join(home, "password"), "utf8");

  /** @param {string[]} args */
  const pgCtl = (...args) =>
    run(programs.pg_ctl, ["-D", data, "-s", "-w", ...args], { ...owner, cwd: home, env: POSTGRES_ENV });

  const start = async () => {
    const options = {
      port: port ?? (await freePort()),
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      max_connections: 200,
      ...settings,
    };
    const log = join(home, "log");
    await rm(log, { force: true });
    const flags = Object.entries(options).map(([name, value]) => `-c ${name}=${value}`);
    await pgCtl("start", "-t", String(PATIENCE / 1000), "-l", log, "-o", flags.join(" ")).catch(async (cause) => {
      const tail = (await readFile(log, "utf8").catch(() => String(cause.message))).trim().split("\n").slice(-8);
      throw new Error(`PostgreSQL in ${data} did not start:\n${tail.join("\n")}`, { cause });
    });
  };

  for (let attempt = 1; ; attempt++) {
    try {
      if (!(await findServer(data))) await start();
      const server = await findServer(data);
      if (!server) throw new Error(`PostgreSQL in ${data} stopped right after its start; its log is ${home}/log`);
      const url = `postgresql://postgres:${password}@127.0.0.1:${server.port}/postgres`;
      const client = await hold(url);
      const stop = async () => {
        if (!(await release(client)) || (await findServer(data))?.pid !== server.pid) return;
        await pgCtl("stop", "-m", "fast").catch(async (error) => {
          // Of two that leave at once, both may be the last.
          if (await identify(server.pid)) throw error;
        });
        while (await identify(server.pid)) await sleep(10); // it lives a moment longer than its pid file
      };
      /** @type {Promise<void> | undefined} */
      let stopped;
      return {
        url,
        ...server,
        folder: home,
        stop: () => {
          stopped ??= stop();
          return stopped;
        },
      };
    } catch (error) {
      // Another script may have started or stopped it, or taken the port, between two of our steps.
      if (attempt === 3) throw error;
      await sleep(200 * attempt);
    }
  }
}

/**
 * Ends a server whose files nobody needs any more, at once. Nothing happens when none runs.
 *
 * @param {string} folder where its files really are
 */
export async function killPostgres(folder) {
  const server = await findServer(join(folder, "data"));
  if (server) process.kill(server.pid, "SIGQUIT");
}

/**
 * Finds the server that runs on `data`, once it is ready, or null. The pid file of a dead one would hinder a start where
 * its pid is another program's by now, or a zombie's; but PostgreSQL ignores the pid of who starts it. The rest of the
 * file it needs, to see whether processes of the dead server live on.
 *
 * @param {string} data
 * @returns {Promise<{ pid: number, port: number } | null>}
 */
async function findServer(data) {
  const file = join(data, "postmaster.pid");
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await sleep(50)) {
    const lines = (await readFile(file, "utf8").catch(() => "")).split("\n");
    const pid = Number(lines[0]);
    const identity = pid ? await identify(pid) : null;
    if (!identity?.includes(data)) {
      if (pid && exists(pid)) await writeFile(file, [process.pid, ...lines.slice(1)].join("\n"));
      return null;
    }
    if (lines[7]?.trim() === "ready") return { pid, port: Number(lines[3]) };
  }
  throw new Error(
    `PostgreSQL in ${data} has been starting or stopping for ${PATIENCE / 1000} s; its log is beside it.`,
  );
}

/** @param {number} pid */
function exists(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/**
 * As root, a server runs as whoever owns its files.
 *
 * @param {string} home
 * @param {import("./postgres-programs.mjs").User | null} user
 */
async function ownerOf(home, user) {
  const { uid, gid } = await stat(home);
  if (!user && process.getuid && process.getuid() !== uid) {
    throw new Error(`${home} belongs to another user (uid ${uid}). Run this as that user, or remove the folder.`);
  }
  return user && { uid, gid };
}

/** @param {string} url */
async function hold(url) {
  const client = new pg.Client({ connectionString: url });
  client.on("error", (error) => console.error(`PostgreSQL ended our connection: ${error.message}`));
  await client.connect();
  await client.query("SELECT pg_advisory_lock_shared($1)", [IN_USE]);
  return client;
}

/**
 * Gives up our hold. True when nobody else has one, and when the server does not answer any more.
 *
 * @param {pg.Client} client
 */
async function release(client) {
  try {
    await client.query("SELECT pg_advisory_unlock_shared($1)", [IN_USE]);
    const { rows } = await client.query("SELECT pg_try_advisory_lock($1) AS last", [IN_USE]);
    return rows[0].last;
  } catch {
    return true;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(address && typeof address === "object" ? address.port : 0));
    });
  });
}
