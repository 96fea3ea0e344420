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
import { createDatabase } from "../database";

/** The built app, with a database and a blob store of its own. */
export interface App {
  origin: string;
  /** Calls its functions, as a program outside would. */
  api: TRPCClient<AppRouter>;
  database: pg.Client;
  stop(): Promise<void>;
}

/** @param settings beside those of every test, or instead of them */
export async function startApp(settings: Record<string, string> = {}): Promise<App> {
  if (!existsSync(".next/BUILD_ID")) throw new Error("There is no build to test; run `npm run build`, or `npm test`.");
  const { url, drop } = await createDatabase();
  const folder = await mkdtemp(join(tmpdir(), "storage-e2e-"));
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const server = spawn(process.execPath, ["node_modules/next/dist/bin/next", "start", "--port", `${port}`], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      NODE_ENV: "production",
      DATABASE_URL: url,
      APP_SECRET: "a secret of the tests that is long enough",
      APP_ORIGIN: origin,
      STORAGE_DISK_PATH: folder,
      ...settings,
    },
  });
  await mkdir("test-results", { recursive: true });
  server.stderr.pipe(createWriteStream(`test-results/app-${port}.log`));
  const database = new pg.Client({ connectionString: url });
  await database.connect();
  for await (const line of createInterface(server.stdout)) if (line.includes("Ready")) break;
  if (server.exitCode !== null) throw new Error(`The app did not start; test-results/app-${port}.log says why`);
  server.stdout.resume();

  return {
    origin,
    api: createTRPCClient<AppRouter>({ links: [httpLink({ url: `${origin}/api/trpc`, transformer: superjson })] }),
    database,
    async stop() {
      const exit = once(server, "exit");
      server.kill();
      await Promise.all([exit, database.end()]);
      await drop();
      await rm(folder, { recursive: true, force: true });
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
