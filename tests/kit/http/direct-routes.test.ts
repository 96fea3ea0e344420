import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { routeDirectly } from "~/kit/http/direct-routes";
import { toNodeHandler } from "~/kit/http/node-adapter";
import { startInTurns } from "~/kit/http/watch-connections";

const file = `/api/storage/019a0000-0000-7000-8000-000000000000/${"a".repeat(43)}`;
const text = "a long answer ".repeat(200);
let folder: string;
let origin: string;
const server = createServer((_, response) => void response.end("Next.js"));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "direct-routes-"));
  await mkdir(join(folder, "server"));
  startInTurns(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.close().closeAllConnections();
  await rm(folder, { recursive: true });
});

interface Build {
  /** Rules in the manifest of routes. */
  rules?: object;
  /** Matchers of a proxy. */
  matchers?: object[];
  middleware?: object;
  compress?: boolean;
  /** Whether each handler throws. */
  fails?: boolean;
}

/** Routes directly, in an app whose build says this. */
async function build({ rules, matchers, middleware, compress = true, fails = false }: Build = {}): Promise<void> {
  const manifests = {
    "routes-manifest": { redirects: [], headers: [], rewrites: { beforeFiles: [], afterFiles: [] }, ...rules },
    "required-server-files": { config: { compress } },
    "server/functions-config-manifest": { functions: { "/_middleware": { matchers } } },
    "server/middleware-manifest": { middleware: middleware ?? {}, functions: {} },
  };
  for (const [name, manifest] of Object.entries(manifests)) {
    await writeFile(join(folder, `${name}.json`), JSON.stringify(manifest));
  }
  const answer = (name: string) => async () => ({
    default: async (request: IncomingMessage, response: ServerResponse) => {
      if (fails) throw new Error("a bug");
      const body = request.url?.includes("long") ? text : name;
      await toNodeHandler(async () => new Response(body))(request, response);
    },
  });
  await routeDirectly({ functions: answer("functions"), uploads: answer("uploads"), files: answer("files") }, folder);
}

const get = (path: string, headers?: Record<string, string>) => fetch(`${origin}${path}`, { headers });
const who = async (path: string) => (await get(path)).text();

test("functions, uploads and files are served directly, and everything else by Next.js", async () => {
  await build();
  expect(await who("/api/trpc/messages.list?input=%7B%7D")).toBe("functions");
  expect(await who("/api/trpc/a.b,c.d?batch=1")).toBe("functions");
  expect(await who("/api/storage/upload?token=x")).toBe("uploads");
  expect(await who(`${file}?download=a`)).toBe("files");
  const others = ["/", "/api/trpc/", "/api/trpc/a/b", "/api/trpc/%61", "/api/trpc/a/", "//api/trpc/a", "/API/trpc/a"];
  for (const path of [...others, "/api/storage/upload/direct", `${file}/`, "/api/health"]) {
    expect(await who(path), path).toBe("Next.js");
  }
});

const regex = "^/api/trpc/(?:.*)$";
test.each([
  ["a redirect", { rules: { redirects: [{ regex }] } }],
  ["a rewrite before files", { rules: { rewrites: { beforeFiles: [{ regex }], afterFiles: [] } } }],
  ["a rewrite after files", { rules: { rewrites: { beforeFiles: [], afterFiles: [{ regex }] } } }],
  ["a proxy", { matchers: [{ regexp: regex }] }],
  ["a middleware", { middleware: { "/": { matchers: [{ regexp: regex }] } } }],
  [
    "a header for those who have a cookie",
    { rules: { headers: [{ regex, has: [{ type: "cookie", key: "a" }], headers: [{ key: "X-A", value: "1" }] }] } },
  ],
  ["a header with a part of the path", { rules: { headers: [{ regex, headers: [{ key: "X-A", value: ":path" }] }] } }],
])("what %s matches is left to Next.js", async (_, settings) => {
  await build(settings);
  expect(await who("/api/trpc/messages.list")).toBe("Next.js");
  expect(await who(file)).toBe("files");
});

test("headers of next.config.mjs are set, where the request has what they ask for", async () => {
  const https = { type: "header", key: "X-Forwarded-Proto", value: "https" };
  const hsts = { key: "Strict-Transport-Security", value: "max-age=1" };
  await build({ rules: { headers: [{ regex: "^/.*$", has: [https], headers: [hsts] }] } });
  expect((await get(file)).headers.get(hsts.key)).toBeNull();
  expect((await get(file, { [https.key]: "https" })).headers.get(hsts.key)).toBe("max-age=1");
});

test("long texts are compressed for those who take it, unless the build turns that off", async () => {
  const encoding = async (accepted: string) => {
    const response = await get("/api/trpc/long", { "Accept-Encoding": accepted });
    expect(await response.text()).toBe(text);
    return [response.headers.get("content-encoding"), response.headers.get("vary")];
  };
  await build();
  expect(await encoding("gzip, br")).toEqual(["gzip", "Accept-Encoding"]);
  expect(await encoding("gzip;q=0, br")).toEqual([null, "Accept-Encoding"]);
  await build({ compress: false });
  expect(await encoding("gzip")).toEqual([null, null]);
});

test("a route that throws is answered with 500, and logged", async () => {
  const log = vi.spyOn(console, "error").mockReturnValue();
  await build({ fails: true });
  expect((await get("/api/trpc/messages.list")).status).toBe(500);
  expect(log).toHaveBeenCalledOnce();
  log.mockRestore();
});
