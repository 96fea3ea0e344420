import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createReadStream, existsSync } from "node:fs";
import {
  copyFile,
  cp,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
} from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Bytes of a body that Vercel passes on to a function. */
const largestBody = 4.5 * 1024 * 1024;

interface Route {
  handle?: string;
  src?: string;
  dest?: string;
  status?: number;
  headers?: Record<string, string>;
  has?: { type: string; key: string; value?: string }[];
  missing?: { type: string; key: string }[];
}

interface Instance {
  child: ChildProcess;
  port: number;
  name: string;
  /** When its process started, by `performance.now`. */
  began: number;
  underWay: number;
  /** How many requests the process got, and for how many of them its work is done. */
  passed: number;
  served: number;
}

interface StaticFile {
  file: string;
}

interface FunctionCall {
  /** The function's folder. */
  at: string;
  /** The path of the page or route that it is. */
  path: string;
  query: string;
}

export interface Deployment {
  origin: string;
  /** Bytes of the files of each function. */
  sizes: Map<string, number>;
  /** Milliseconds from the start of a function's process to its first answer, for each function. */
  starts: Map<string, number>;
  stop(): Promise<void>;
}

function matches({ src, has = [], missing = [] }: Route, path: string, { headers }: IncomingMessage): boolean {
  // Vercel's edge adds these headers to every request.
  const given: IncomingMessage["headers"] = { ...headers, "x-forwarded-proto": "https" };
  return (
    src !== undefined &&
    new RegExp(src).test(path) &&
    has.every(
      ({ key, value }) => given[key] !== undefined && new RegExp(`^${value ?? ".*"}$`).test(String(given[key])),
    ) &&
    missing.every(({ key }) => given[key] === undefined)
  );
}

/**
 * Serves what `vercel build` made of the project in `folder`, as Vercel does: static files, and each function in a process of
 * its own, which is suspended while it has nothing to do.
 */
export async function startDeployment(folder: string, env: Record<string, string | undefined>): Promise<Deployment> {
  const output = join(folder, ".vercel/output");
  const { routes } = JSON.parse(await readFile(join(output, "config.json"), "utf8")) as { routes: Route[] };
  const tasks = await mkdtemp(join(tmpdir(), "vercel-tasks-"));
  const instances = new Map<string, Promise<Instance>>();
  const sizes = new Map<string, number>();
  const starts = new Map<string, number>();

  /** The folder of a function at a path of the output; pages share some. */
  async function functionAt(path: string): Promise<string | null> {
    const at = join(output, "functions", `${path === "/" ? "/index" : path}.func`);
    return existsSync(at) ? realpath(at) : null;
  }

  async function instanceOf(at: string): Promise<Instance> {
    const existing = instances.get(at) ?? startInstance(at);
    instances.set(at, existing);
    return existing;
  }

  async function startInstance(at: string): Promise<Instance> {
    const task = join(tasks, `${instances.size}`);
    const config = JSON.parse(await readFile(join(at, ".vc-config.json"), "utf8"));
    const files: Record<string, string> = config.filePathMap;
    let bytes = 0;
    for (const [name, source] of Object.entries<string>(files)) {
      await mkdir(dirname(join(task, name)), { recursive: true });
      const from = join(folder, source);
      const { isLink, size } = await lstat(from).then((found) => ({
        isLink: found.isSymbolicLink(),
        size: found.size,
      }));
      bytes += size;
      // Next.js names packages by links beside its own files.
      if (isLink) await symlink(await readlink(from), join(task, name));
      else await link(from, join(task, name)).catch(() => copyFile(from, join(task, name)));
    }
    await cp(at, task, { recursive: true });
    sizes.set(at.slice(output.length), bytes);
    const began = performance.now();
    const child = fork(fileURLToPath(new URL("instance.mjs", import.meta.url)), [join(task, config.handler)], {
      cwd: task,
      env: { NODE_ENV: "production", ...env },
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const [{ port }] = await once(child, "message");
    const name = at.slice(output.length);
    const instance = { child, port, name, began, underWay: 0, passed: 0, served: 0 };
    child.on("message", (message: { served: number }) => {
      instance.served = message.served;
      suspendIfIdle(instance);
    });
    return instance;
  }

  function suspendIfIdle({ child, underWay, passed, served }: Instance): void {
    if (underWay === 0 && passed === served) child.kill("SIGSTOP");
  }

  const server = createServer((incoming, answer) => {
    serve(incoming, answer).catch((error) => answer.writeHead(500).end(String(error)));
  });

  async function serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? "/", "http://app");
    const found = await resolveRoute(url, incoming);
    for (const [name, value] of Object.entries(headersOf(url, incoming))) answer.setHeader(name, value);
    if (Number(incoming.headers["content-length"] ?? 0) > largestBody) {
      answer.writeHead(413).end("FUNCTION_PAYLOAD_TOO_LARGE");
    } else if (found === null) {
      answer.writeHead(404).end("NOT_FOUND");
    } else if ("file" in found) {
      createReadStream(found.file).pipe(answer);
    } else await pass(incoming, answer, found);
  }

  /** The headers that next.config.mjs adds. */
  function headersOf({ pathname }: URL, incoming: IncomingMessage): Record<string, string> {
    const before = routes.slice(
      0,
      routes.findIndex(({ handle }) => handle === "filesystem"),
    );
    const wanted = before.filter((route) => !route.dest && matches(route, pathname, incoming));
    return Object.assign({}, ...wanted.map(({ headers }) => headers));
  }

  async function resolveRoute(url: URL, incoming: IncomingMessage): Promise<StaticFile | FunctionCall | null> {
    let path = url.pathname;
    let isPastFiles = false;
    for (const route of routes) {
      const { handle, dest } = route;
      if (handle === "filesystem" || handle === "resource") {
        const file = join(output, "static", path);
        if (existsSync(file) && (await stat(file)).isFile()) return { file };
        const at = await functionAt(path);
        if (at) return { at, path, query: url.search };
      }
      if (handle === "rewrite") isPastFiles = true;
      if (handle === "hit") return null;
      if (handle || !dest || route.status || !matches(route, path, incoming)) continue;
      const match = new RegExp(route.src ?? "").exec(path);
      const to = new URL(
        dest.replace(/\$(\w+)/g, (_, name) => encodeURI(match?.groups?.[name] ?? match?.[Number(name)] ?? "")),
        "http://app",
      );
      const target = decodeURIComponent(to.pathname);
      if (!isPastFiles) path = target;
      const at = isPastFiles ? await functionAt(target) : null;
      if (at)
        return {
          at,
          path: target,
          query: [url.search, to.search.slice(1)].filter(Boolean).join(url.search ? "&" : "?"),
        };
    }
    return null;
  }

  async function pass(incoming: IncomingMessage, answer: ServerResponse, found: FunctionCall) {
    const instance = await instanceOf(found.at);
    instance.underWay += 1;
    instance.passed += 1;
    instance.child.kill("SIGCONT");
    const { pathname } = new URL(incoming.url ?? "/", "http://app");
    const headers = {
      ...incoming.headers,
      "x-matched-path": found.path,
      "x-forwarded-proto": "https",
      "x-forwarded-host": incoming.headers.host,
      "x-vercel-id": `test::${Date.now()}`,
      "x-vercel-forwarded-for": "203.0.113.7",
    };
    const query = found.query && !found.query.startsWith("?") ? `?${found.query}` : found.query;
    const passed = request(
      { port: instance.port, host: "127.0.0.1", method: incoming.method, path: pathname + query, headers },
      (response) => {
        if (!starts.has(instance.name)) starts.set(instance.name, performance.now() - instance.began);
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
        response.on("error", () => answer.destroy());
      },
    );
    passed.on("error", () => answer.destroy());
    answer.on("close", () => {
      instance.underWay -= 1;
      passed.destroy();
      suspendIfIdle(instance);
    });
    incoming.pipe(passed);
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sizes,
    starts,
    async stop() {
      server.closeAllConnections();
      server.close();
      for (const instance of instances.values()) (await instance).child.kill("SIGKILL");
      await rm(tasks, { recursive: true });
    },
  };
}
