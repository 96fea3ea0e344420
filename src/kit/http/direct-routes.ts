import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { processWide } from "../process/process-wide";

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** The routes below src/pages/api that are served without Next.js in between, by what they serve. */
export interface DirectRoutes {
  functions: () => Promise<{ default: Handler }>;
  uploads: () => Promise<{ default: Handler }>;
  files: () => Promise<{ default: Handler }>;
}

/** Their paths, as Next.js would find them. All other spellings are left to it. */
const paths: [keyof DirectRoutes, RegExp][] = [
  ["functions", /^\/api\/trpc\/[\w.,-]+$/],
  ["files", /^\/api\/storage\/[0-9a-f-]{36}\/[\w-]{43}$/],
  ["uploads", /^\/api\/storage\/upload$/],
];

/** A rule of next.config.mjs or of a proxy, as the build writes it down. */
interface Rule {
  regex?: string;
  regexp?: string;
  headers?: { key: string; value: string }[];
  has?: { type: string; key: string; value?: string }[];
  missing?: unknown[];
}

/** A path that a proxy takes, as the build writes it down. */
export interface Matcher {
  regexp: string;
  originalSource: string;
}

const direct = processWide("direct routes", () => ({
  routes: undefined as DirectRoutes | undefined,
  handlers: {} as Partial<Record<keyof DirectRoutes, Promise<{ default: Handler }>>>,
  /** Only Next.js can handle requests to paths that match one of these. */
  others: [] as RegExp[],
  headers: [] as { pattern: RegExp; has: [name: string, value: RegExp][]; headers: [string, string][] }[],
  compresses: false,
  responses: new WeakSet<ServerResponse>(),
}));

interface Manifests {
  redirects: Rule[];
  headers: Rule[];
  rewrites: { beforeFiles: Rule[]; afterFiles: Rule[] };
  config: { compress: boolean };
}

/**
 * The paths that the app's `src/proxy.ts` takes, or its older `src/middleware.ts`; `null` when the build does not say.
 *
 * @param folder of the build
 */
export async function readMatchers(folder: string): Promise<Matcher[] | null> {
  const read = async (name: string): Promise<Record<string, Record<string, { matchers?: Matcher[] }> | undefined>> =>
    JSON.parse(await readFile(join(folder, "server", `${name}.json`), "utf8").catch(() => "{}"));
  // A proxy is a function on Node.js, as middleware can be. Middleware on the edge runtime has a manifest of its own.
  const { functions } = await read("functions-config-manifest");
  const { middleware } = await read("middleware-manifest");
  if (!functions || !middleware) return null;
  return [functions["/_middleware"], ...Object.values(middleware)].flatMap((proxy) => proxy?.matchers ?? []);
}

/**
 * From now on these routes get their requests straight from Node.js. The routing of Next.js takes as much of the processor's time
 * as serving a small file. What the build says about rewrites, redirects, headers and a proxy holds as before.
 *
 * @param folder of the build
 */
export async function routeDirectly(routes: DirectRoutes, folder = join(process.cwd(), ".next")): Promise<void> {
  const read = async (name: string): Promise<Partial<Manifests>> =>
    JSON.parse(await readFile(join(folder, `${name}.json`), "utf8"));
  const found: Partial<Manifests> = {
    ...(await read("routes-manifest")),
    ...(await read("required-server-files")),
  };
  const { redirects, rewrites, headers, config } = found;
  const proxies = await readMatchers(folder);
  // When the build lacks one of these parts, Next.js routes all requests.
  if (!redirects || !rewrites || !headers || !proxies || !config) return;
  const asked = [...redirects, ...rewrites.beforeFiles, ...rewrites.afterFiles, ...proxies];
  direct.others = [...asked, ...headers.filter((rule) => !isPlain(rule))].map(patternOf);
  direct.headers = headers.filter(isPlain).map((rule) => ({
    pattern: patternOf(rule),
    has: (rule.has ?? []).map(({ key, value }) => [key.toLowerCase(), new RegExp(`^${value}$`)]),
    headers: (rule.headers ?? []).map(({ key, value }) => [key, value]),
  }));
  direct.compresses = config.compress;
  direct.routes = routes;
  direct.handlers = {};
}

const patternOf = ({ regex, regexp = "" }: Rule) => new RegExp(regex ?? regexp);

/** Whether a rule only adds texts, where certain headers of the request have certain values. */
const isPlain = ({ headers = [], has = [], missing = [] }: Rule) =>
  missing.length === 0 &&
  has.every(({ type, value }) => type === "header" && value !== undefined) &&
  headers.every(({ key, value }) => !`${key}${value}`.includes(":"));

/** Serves a request of these routes. Returns `false` for one that is left to Next.js. */
export function serveDirectly(request: IncomingMessage, response: ServerResponse): boolean {
  const [path = ""] = (request.url ?? "").split("?", 1);
  const [name] = paths.find(([, pattern]) => pattern.test(path)) ?? [];
  if (!name || !direct.routes || direct.others.some((pattern) => pattern.test(path))) return false;
  for (const { pattern, has, headers } of direct.headers) {
    if (!pattern.test(path) || !has.every(([key, value]) => value.test(String(request.headers[key] ?? "")))) continue;
    for (const [key, value] of headers) response.setHeader(key, value);
  }
  direct.responses.add(response);
  // The first request loads the route.
  direct.handlers[name] ??= direct.routes[name]();
  direct.handlers[name]
    .then((route) => route.default(request, response))
    .catch((error) => {
      console.error("A request failed:", error);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end("Internal Server Error");
    });
  return true;
}

const compress = promisify(gzip);
/** Bodies of fewer bytes are not compressed, as in Next.js. */
const leastCompressed = 1024;

/** The body, compressed as Next.js would compress it. Where Next.js does that itself, it is returned as it is. */
export async function compressed(body: Uint8Array, response: ServerResponse): Promise<Uint8Array> {
  if (!direct.compresses || !direct.responses.has(response) || body.byteLength < leastCompressed) return body;
  const isText = /^(text\/|application\/json\b)/.test(String(response.getHeader("content-type")));
  if (!isText || /no-transform/.test(String(response.getHeader("cache-control")))) return body;
  response.appendHeader("Vary", "Accept-Encoding");
  if (!/\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(String(response.req.headers["accept-encoding"]))) return body;
  response.setHeader("Content-Encoding", "gzip");
  return compress(body);
}
