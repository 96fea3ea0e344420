import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createTRPCClient, httpLink, type TRPCClient } from "@trpc/client";
import pg from "pg";
import superjson from "superjson";
import type { AppRouter } from "~/functions";
import { createDatabase } from "../../database";
import { startFront } from "./front";

/** The built app, with a database and a blob store of its own. */
export interface App {
  origin: string;
  /** The origin whose pages may call its HTTP API. */
  clientOrigin: string;
  /** Calls its functions, as a program outside would. */
  api: Api;
  database: pg.Client;
  /** Serves the same app at another origin. Its pages treat the first origin as the app's. */
  serveAt(origin: string): Promise<Server>;
  /** Kills the app in whatever state it is, and starts it again. */
  crash(): Promise<void>;
  /** The settings it was started with. */
  env: NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

export type Api = TRPCClient<AppRouter>;

/** @param headers of the caller */
export function connect(origin: string, headers?: Record<string, string>): Api {
  return createTRPCClient<AppRouter>({
    links: [httpLink({ url: `${origin}/api/trpc`, transformer: superjson, headers })],
  });
}

/** @param settings in addition to those of every test, or instead of them */
export async function startApp(settings: Record<string, string> = {}): Promise<App> {
  if (!existsSync(".next/BUILD_ID")) throw new Error("There is no build to test; run `npm run build`, or `npm test`.");
  const { url, drop } = await createDatabase();
  const folder = await mkdtemp(join(tmpdir(), "storage-e2e-"));
  const origin = `http://localhost:${await freePort()}`;
  const clientOrigin = `http://localhost:${await freePort()}`;
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    NODE_ENV: "production",
    DATABASE_URL: url,
    APP_SECRET: "a secret of the tests that is long enough",
    APP_ORIGIN: origin,
    CLIENT_ORIGIN: clientOrigin,
    STORAGE_DISK_PATH: folder,
    ...settings,
  };
  const database = new pg.Client({ connectionString: url });
  await database.connect();
  const serveAt = (at: string) => {
    const { port } = new URL(at);
    // These apps live for a minute, and optimizing Prisma's WebAssembly would take two fifths of their start.
    const next = ["--liftoff-only", "node_modules/next/dist/bin/next", "start", "--port", port];
    return startServer({ name: `app-${port}`, args: next, env, ready: "Ready" });
  };
  let server = await (processes > 1 ? serveBehindFront(origin, serveAt) : serveAt(origin));
  return {
    origin,
    clientOrigin,
    api: connect(origin),
    database,
    serveAt,
    async crash() {
      await server.stop("SIGKILL");
      server = await serveAt(origin);
    },
    env,
    async stop() {
      await Promise.all([server.stop(), database.end()]);
      await drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** `E2E_PROCESSES=2 npx playwright test` runs every test against that many processes behind a balancer. */
const processes = Number(process.env.E2E_PROCESSES ?? 1);

async function serveBehindFront(origin: string, serveAt: App["serveAt"]): Promise<Server> {
  const origins: string[] = [];
  while (origins.length < processes) origins.push(`http://localhost:${await freePort()}`);
  const servers = [await startFront(origin, origins), ...(await Promise.all(origins.map(serveAt)))];
  return { stop: async (signal) => void (await Promise.all(servers.map((server) => server.stop(signal)))) };
}

export interface Server {
  stop(signal?: "SIGKILL"): Promise<void>;
}

interface ServerProgram {
  /** The name of its log in test-results. */
  name: string;
  /** Arguments for Node.js. */
  args: string[];
  env: NodeJS.ProcessEnv;
  /** A part of the line that it prints when it listens. */
  ready: string;
}

export async function startServer({ name, args, env, ready }: ServerProgram): Promise<Server> {
  const server = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env });
  await mkdir("test-results", { recursive: true });
  server.stderr.pipe(createWriteStream(`test-results/${name}.log`));
  for await (const line of createInterface(server.stdout)) if (line.includes(ready)) break;
  if (server.exitCode !== null) throw new Error(`The server did not start; test-results/${name}.log says why`);
  server.stdout.resume();
  return {
    async stop(signal) {
      if (server.exitCode !== null || server.signalCode !== null) return;
      const exit = once(server, "exit");
      server.kill(signal);
      await exit;
    },
  };
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0);
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  if (typeof address !== "object" || address === null) throw new Error("Cannot find a free port");
  return address.port;
}
