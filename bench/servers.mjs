import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { commandOf, ROOT } from "../scripts/checkout.mjs";

/** @typedef {{ port: number, pid: number, stop: () => Promise<void> }} Server */

const BASELINE = join(ROOT, "bench", "baseline");
const NEXT = commandOf("next");
/** Milliseconds for a server to listen. */
const PATIENCE = 60_000;

/** Builds the app and the baseline. */
export async function build() {
  console.log("Building the app and the baseline");
  for (const cwd of [ROOT, BASELINE]) {
    const child = launch(process.execPath, [NEXT, "build"], cwd, {});
    const [code] = await once(child, "exit");
    if (code !== 0) throw new Error(`\`next build\` failed in ${cwd}: see its message above`);
  }
}

/**
 * The app as `npm start` starts it.
 *
 * @param {string} databaseUrl
 * @param {string} folder where it stores files
 * @param {Record<string, string>} [settings] further variables of its environment
 */
export async function startApp(databaseUrl, folder, settings) {
  const port = await freePort();
  return ready(
    port,
    launch(process.execPath, [NEXT, "start", "-p", `${port}`, "-H", "127.0.0.1"], ROOT, {
      DATABASE_URL: databaseUrl,
      APP_SECRET: "a secret of the bench that is long enough",
      APP_ORIGIN: `http://127.0.0.1:${port}`,
      STORAGE_DISK_PATH: folder,
      // One address is a thousand visitors here.
      RATE_LIMIT_UPLOADS: "1000000",
      ...settings,
    }),
  );
}

/**
 * The bare handlers, which read and write files of `folder`.
 *
 * @param {string} folder
 * @param {string} [databaseUrl] of the app whose messages they list
 */
export async function startBaseline(folder, databaseUrl = "") {
  const port = await freePort();
  const args = [NEXT, "start", "-p", `${port}`, "-H", "127.0.0.1"];
  return ready(port, launch(process.execPath, args, BASELINE, { BENCH_FOLDER: folder, DATABASE_URL: databaseUrl }));
}

/** @param {string} folder */
export async function startRawNode(folder) {
  const port = await freePort();
  return ready(port, launch(process.execPath, ["raw-node.mjs", `${port}`], BASELINE, { BENCH_FOLDER: folder }));
}

/**
 * nginx, or null where it is not installed.
 *
 * @param {string} folder that it serves
 * @param {string} scratch for its own files
 */
export async function startNginx(folder, scratch) {
  if (spawnSync("nginx", ["-v"]).error) return null;
  await mkdir(scratch, { recursive: true });
  const port = await freePort();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const config = `
    ${process.getuid?.() === 0 ? "user root;" : ""}
    daemon off; pid ${scratch}/pid; worker_processes auto; error_log stderr;
    events {}
    http {
      access_log off; sendfile on; tcp_nopush on;
      ${temporary.map((name) => `${name}_temp_path ${scratch}/${name};`).join(" ")}
      server { listen 127.0.0.1:${port}; root ${folder}; }
    }`;
  const path = join(scratch, "nginx.conf");
  await writeFile(path, config);
  return ready(port, launch("nginx", ["-c", path, "-p", scratch, "-e", "stderr"], scratch, {}));
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 * @param {Record<string, string>} env
 */
function launch(command, args, cwd, env) {
  return spawn(command, args, {
    cwd,
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1", ...env },
  });
}

/**
 * Waits until the process listens.
 *
 * @param {number} port
 * @param {import("node:child_process").ChildProcess} child
 * @returns {Promise<Server>}
 */
async function ready(port, child) {
  const exited = once(child, "exit");
  for (const deadline = Date.now() + PATIENCE; !(await listens(port)); await sleep(50)) {
    if (child.exitCode === null && Date.now() < deadline) continue;
    child.kill("SIGKILL");
    throw new Error(`\`${child.spawnargs.join(" ")}\` does not listen on port ${port}: see its message above`);
  }
  const stop = async () => {
    child.kill("SIGTERM");
    const killing = setTimeout(() => child.kill("SIGKILL"), 5000);
    await exited;
    clearTimeout(killing);
  };
  return { port, pid: child.pid ?? 0, stop };
}

/** @param {number} port */
function listens(port) {
  const socket = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
  }).finally(() => socket.destroy());
}

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (typeof address !== "object" || address === null) throw new Error("Cannot find a free port");
  return address.port;
}
