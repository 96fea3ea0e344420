import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

/** Without it a short life is spent on optimising Prisma's WebAssembly. */
const compileOnce = "--liftoff-only";

/** Packages that the app loads on demand. Of these, the servers load only sharp, which has a native part. */
const loadedOnDemand = ["sharp", "better-auth", "@aws-sdk/client-s3", "@aws-sdk/s3-request-presigner", "@vercel/blob"];

const root = fileURLToPath(new URL("../../..", import.meta.url));

export interface ServerProcess {
  origin: string;
  child: ChildProcess;
  /** The last part of the errors that the server printed. */
  errors(): string;
}

/** Starts a server with more environment variables, and resolves when it serves. */
export type Launch = (settings: Record<string, string>) => Promise<ServerProcess>;

export interface BundledServer {
  launch: Launch;
  remove(): Promise<void>;
}

/** Bundles server.ts, which then starts in a sixth of the time. */
export async function bundleServer(): Promise<BundledServer> {
  const folder = await mkdtemp(join(tmpdir(), "crash-server-"));
  await build({
    configFile: false,
    logLevel: "error",
    root,
    resolve: {
      alias: [
        { find: "~/functions", replacement: join(root, "tests/kit/test-app/functions") },
        { find: /^~\/kit$/, replacement: join(root, "tests/kit/test-app/kit.ts") },
        { find: "~/generated", replacement: join(root, "tests/kit/test-app/generated") },
        { find: "~", replacement: join(root, "src") },
        { find: "server-only", replacement: join(root, "node_modules/server-only/empty.js") },
      ],
    },
    ssr: { noExternal: true, external: loadedOnDemand },
    build: { ssr: "tests/kit/crash/server.ts", outDir: folder, target: "node20" },
  });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const launch: Launch = async (settings) => {
    const server = run([compileOnce, join(folder, "server.js")], settings);
    const [address] = await Promise.race([once(server.child, "message"), refusal(server)]);
    return { ...server, origin: `http://127.0.0.1:${address.port}` };
  };
  return { launch, remove: () => rm(folder, { recursive: true }) };
}

/** The app that was built in `folder`, as `npm start` runs it. */
export async function launchApp(settings: Record<string, string>, folder = root): Promise<ServerProcess> {
  const port = await freePort();
  const args = ["node_modules/next/dist/bin/next", "start", "--hostname", "127.0.0.1", "--port", `${port}`];
  const server = run(args, { NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1", ...settings }, folder);
  const ready = new Promise<void>((resolve) => {
    server.child.stdout?.on("data", (text: string) => text.includes("Ready") && resolve());
  });
  await Promise.race([ready, refusal(server)]);
  return { ...server, origin: `http://127.0.0.1:${port}` };
}

function run(args: string[], settings: Record<string, string>, cwd = root): Omit<ServerProcess, "origin"> {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...settings },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let errors = "";
  child.stdout?.setEncoding("utf8").resume();
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    errors = (errors + text).slice(-4000);
  });
  return { child, errors: () => errors };
}

async function refusal({ child, errors }: Omit<ServerProcess, "origin">): Promise<never> {
  const [code] = await once(child, "exit");
  throw new Error(`The server did not start, it exited with ${code}:\n${errors()}`);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  if (typeof address !== "object" || address === null) throw new Error("Cannot find a free port");
  return address.port;
}
