import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { initialiseHome, POSTGRES_ENV, postgresHome, postgresPrograms, postgresUser } from "./postgres-files.mjs";
import { identify } from "./processes.mjs";

const run = promisify(execFile);

/** Every script that uses a server holds this advisory lock as a shared lock. The last script stops the server. */
const IN_USE = 7_232_510;

/** How long a server may take to recover from a crash, or to stop. */
const timeoutMs = 60_000;

/**
 * @typedef {object} Postgres
 * @property {string} url of the database `postgres`, as the superuser
 * @property {number} port
 * @property {number} pid
 * @property {string} folder the real path of its files
 * @property {() => Promise<void>} stop stops the server, unless another script still uses it
 */

/**
 * Starts the PostgreSQL server whose files are in `folder`, which is created when missing. A server that already runs there
 * is used as it is. It listens on loopback, requires a password, and outlives the calling process unless `stop` is called.
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
    await pgCtl("start", "-t", String(timeoutMs / 1000), "-l", log, "-o", flags.join(" ")).catch(async (cause) => {
      const tail = (await readFile(log, "utf8").catch(() => String(cause.message))).trim().split("\n").slice(-8);
      throw new Error(`PostgreSQL in ${data} did not start:\n${tail.join("\n")}`, { cause });
    });
  };

  for (let attempt = 1; ; attempt++) {
    try {
      if (!(await findServer(data))) await start();
      const server = await findServer(data);
      if (!server) throw new Error(`PostgreSQL in ${data} stopped right after its start. Its log is ${home}/log`);
      const url = `postgresql://postgres:${password}@127.0.0.1:${server.port}/postgres`;
      const client = await hold(url);
      const stop = async () => {
        if (!(await release(client)) || (await findServer(data))?.pid !== server.pid) return;
        await pgCtl("stop", "-m", "fast").catch(async (error) => {
          // When two scripts stop it at once, both may be the last.
          if (await identify(server.pid)) throw error;
        });
        while (await identify(server.pid)) await sleep(10); // The process outlives its pid file by a moment.
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
      // Another script may have started or stopped the server, or taken the port, in the meantime.
      if (attempt === 3) throw error;
      await sleep(200 * attempt);
    }
  }
}

/**
 * Kills the server in `folder` if one is running. Its files are not needed any more.
 *
 * @param {string} folder the real path of its files
 */
export async function killPostgres(folder) {
  const server = await findServer(join(folder, "data"));
  if (server) process.kill(server.pid, "SIGQUIT");
}

/**
 * Waits until the server that runs on `data` is ready and returns it, or null when none runs. A dead server's pid file would
 * prevent a start when another program has its pid by now, so its pid is replaced by this process's, which PostgreSQL
 * ignores. PostgreSQL needs the rest of the file to see whether processes of the dead server still run.
 *
 * @param {string} data
 * @returns {Promise<{ pid: number, port: number } | null>}
 */
async function findServer(data) {
  const file = join(data, "postmaster.pid");
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await sleep(50)) {
    const lines = (await readFile(file, "utf8").catch(() => "")).split("\n");
    const pid = Number(lines[0]);
    const identity = pid ? await identify(pid) : null;
    if (!isServerOf(data, identity)) {
      if (pid && exists(pid)) await writeFile(file, [process.pid, ...lines.slice(1)].join("\n"));
      return null;
    }
    if (lines[7]?.trim() === "ready") return { pid, port: Number(lines[3]) };
  }
  throw new Error(
    `PostgreSQL in ${data} has been starting or stopping for ${timeoutMs / 1000} s; the log is beside it.`,
  );
}

/**
 * Whether a process is the server of these files. On Windows, PostgreSQL's programs write the path with other slashes.
 *
 * @param {string} data
 * @param {string | null} identity
 */
export const isServerOf = (data, identity) =>
  identity?.replaceAll("\\", "/").includes(data.replaceAll("\\", "/")) ?? false;

/** @param {number} pid */
function exists(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/**
 * The user that owns the server's files, who runs the server when this process is root.
 *
 * @param {string} home
 * @param {import("./postgres-files.mjs").User | null} user
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
  client.on("error", (error) => console.error(`PostgreSQL ended the connection: ${error.message}`));
  await client.connect();
  await client.query("SELECT pg_advisory_lock_shared($1)", [IN_USE]);
  return client;
}

/**
 * Releases the lock. Returns true when no other script holds it, or when the server does not answer.
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
