import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { commandOf, DATA, developmentSecret, generateClient, ROOT } from "./checkout.mjs";
import { install, refuseUnsupported } from "./install.mjs";
import { killGroup, takeDevLock, whenNpmIsGone } from "./processes.mjs";

// npm run dev [-- --port 4000] [--remote-database]
//
// The imports above use only Node's own modules. Everything that needs packages is imported after the installation.

refuseUnsupported();

const { values } = parseArgs({
  options: { port: { type: "string", short: "p" }, "remote-database": { type: "boolean", default: false } },
});
const port = Number(values.port ?? process.env.PORT ?? 3000);
const address = `http://localhost:${port}`;
const stopping = new AbortController();

/** @returns {Promise<number>} the exit code */
async function dev() {
  const lock = await takeDevLock(join(DATA, "dev.lock"), address);
  /** @type {(() => Promise<void>) | undefined} */
  let stopDatabase;
  try {
    await checkPort();
    await install({ signal: stopping.signal });
    stopping.signal.throwIfAborted();

    /** @type {NodeJS.ProcessEnv} */
    const environment = { ...process.env, NODE_ENV: "development" };
    const { hasAdministrator } = await import("./administrators.mjs");
    const { configuredDatabase, confirmFarDatabase } = await import("./database.mjs");
    const { applyMigrations } = await import("./migrations.mjs");
    const { startPostgres } = await import("./postgres.mjs");
    const { seed } = await import("../prisma/seed.mjs");

    let database = configuredDatabase();
    if (!database) {
      const server = await startPostgres({ folder: join(DATA, "postgres") });
      stopDatabase = server.stop;
      database = environment.DATABASE_URL = server.url;
      console.log(`PostgreSQL runs on port ${server.port}. Its files are in ${server.folder}.`);
    }
    await confirmFarDatabase(database, {
      confirmed: values["remote-database"],
      memory: join(DATA, "remote-databases"),
    });
    if (!process.env.APP_SECRET) environment.APP_SECRET = developmentSecret();
    stopping.signal.throwIfAborted();

    await generateClient();
    const { applied, warnings } = await applyMigrations(database);
    for (const name of applied) console.log(`Applied migration ${name}`);
    for (const warning of warnings) console.warn(`${warning} To start over: npm run db:reset`);
    await seed(database);
    stopping.signal.throwIfAborted();

    const open = `Open ${address} — Ctrl-C stops everything`;
    const lines = (await hasAdministrator(database)) ? [open] : [open, firstAdministrator];
    return await runNext(environment, lines, lock.setApp);
  } finally {
    await stopDatabase?.();
    lock.release();
  }
}

const firstAdministrator = `Administrators can open ${address}/dashboard. To become one, create an account at ${address}/sign-in?new,
then run: npm run admin -- <the id in the account's menu>`;

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {string[]} lines to print when the app answers
 * @param {(pid: number) => Promise<void>} started
 */
async function runNext(env, lines, started) {
  // The app gets its own process group, so that Ctrl-C reaches this script alone, which stops the app before the database.
  const child = spawn(process.execPath, [commandOf("next"), "dev", "--port", String(port)], {
    cwd: ROOT,
    env: { NEXT_TELEMETRY_DISABLED: "1", ...env },
    stdio: ["ignore", "inherit", "inherit"],
    detached: process.platform !== "win32",
  });
  const exited = once(child, "exit");
  const { pid } = child;
  if (!pid) throw (await exited.catch((error) => [error]))[0];
  const stop = () => {
    child.kill("SIGTERM");
    setTimeout(() => void killGroup(pid), 5000).unref();
  };
  stopping.signal.addEventListener("abort", stop);
  await started(pid);
  void announce(lines);
  const [code] = await exited;
  await killGroup(pid);
  return code ?? 1;
}

/**
 * Prints `lines` when the app answers.
 *
 * @param {string[]} lines
 */
async function announce(lines) {
  for (;;) {
    const response = await fetch(address, { signal: stopping.signal }).catch(() => null);
    if (stopping.signal.aborted) return;
    if (response) return console.log(`\n${lines.join("\n")}\n`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** @returns {Promise<void>} */
function checkPort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", (cause) => {
      const advice = `Choose another port: PORT=${port + 1} npm run dev`;
      reject(new Error(`Port ${port} cannot be used (${cause.message}). ${advice}`, { cause }));
    });
    server.listen(port, () => server.close(() => resolve()));
  });
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stopping.abort());
void whenNpmIsGone(() => stopping.abort());
// When the terminal is closed, writing to it fails. The database must stop then, too.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => stopping.abort());

process.exit(
  await dev()
    .catch((error) => {
      if (!stopping.signal.aborted) console.error(error.message);
      return 1;
    })
    .then((code) => (stopping.signal.aborted ? 0 : code)),
);
