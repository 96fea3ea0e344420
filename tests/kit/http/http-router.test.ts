import { describe, expect, test, vi } from "vitest";
import { internalMutation } from "~/kit/functions/builders";
import { HttpError } from "~/kit/http/error-response";
import { cors, httpAction, httpRouter, pathSuffix, type Route } from "~/kit/http/http-router";
import { serveHttp } from "~/kit/http/serve-http";

const answering = (text: string) => httpAction(() => new Response(text));
const handler = answering("handled");

/** The answer of a server with these routes. */
async function ask(routes: Route[], method: string, path: string, init: RequestInit & { duplex?: "half" } = {}) {
  const router = httpRouter();
  for (const route of routes) router.route(route);
  return serveHttp(router)(new Request(`http://localhost:3000/http${path}`, { method, ...init }));
}

const routes: Route[] = [
  { path: "/exact", method: "GET", handler: answering("exact") },
  { pathPrefix: "/", method: "GET", handler: answering("root prefix") },
];
const table: Route[] = [
  ...routes,
  { path: "/files/one", method: "GET", handler: answering("one") },
  { path: "/files/one", method: "PUT", handler: answering("put one") },
  { pathPrefix: "/files/", method: "GET", handler: answering("files") },
  { pathPrefix: "/files/deep/", method: "GET", handler: answering("deep") },
  { pathPrefix: "/files/deep/", method: "DELETE", handler: answering("delete deep") },
  { pathPrefix: "/files/", method: "PATCH", handler: answering("patch files") },
  { path: "/only", method: "POST", handler: answering("posted") },
];

describe("lookup", () => {
  test.each([
    ["GET", "/exact", 200, "exact"],
    ["GET", "/files/one", 200, "one"],
    ["PUT", "/files/one", 200, "put one"],
    ["GET", "/files/two", 200, "files"],
    ["GET", "/files/", 200, "files"],
    ["GET", "/files/deep/x", 200, "deep"],
    ["DELETE", "/files/deep/x", 200, "delete deep"],
    // The longest prefix that has the method, though a longer one has the path.
    ["PATCH", "/files/deep/x", 200, "patch files"],
    ["PATCH", "/files/one", 200, "patch files"],
    ["GET", "/exact/", 200, "root prefix"],
    ["GET", "", 200, "root prefix"],
    ["GET", "/Exact", 200, "root prefix"],
    ["GET", "/exact?x=1", 200, "exact"],
    ["HEAD", "/exact", 200, ""],
  ])("%s %s, %i %s", async (method, path, status, body) => {
    const response = await ask(table, method, path);
    expect([response.status, await response.text()]).toEqual([status, body]);
  });

  test("of a path without routes, 404 as text", async () => {
    const response = await ask([{ path: "/a", method: "GET", handler }], "GET", "/b");
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([
      404,
      "text/plain;charset=UTF-8",
      "No matching routes found",
    ]);
  });

  test.each([
    ["DELETE", "/exact", "GET, HEAD"],
    ["GET", "/only/x", undefined],
    ["DELETE", "/files/one", "GET, PUT, PATCH, HEAD"],
    ["OPTIONS", "/exact", "GET, HEAD"],
  ])("%s %s, 405 with Allow: %s", async (method, path, allow) => {
    const response = await ask(table, method, path);
    expect([response.status, response.headers.get("allow") ?? undefined]).toEqual([allow ? 405 : 200, allow]);
  });

  test("getRoutes, exact by path and method, then prefixes", () => {
    const router = httpRouter();
    for (const route of table) router.route(route);
    expect(router.getRoutes().map(({ method, path, pathPrefix }) => `${method} ${path ?? `${pathPrefix}*`}`)).toEqual([
      "GET /exact",
      "GET /files/one",
      "PUT /files/one",
      "POST /only",
      "GET /*",
      "GET /files/*",
      "PATCH /files/*",
      "DELETE /files/deep/*",
      "GET /files/deep/*",
    ]);
  });
});

describe("route", () => {
  test.each([
    ["no handler", { path: "/a", method: "GET" }, 'Route "/a" needs a handler made by httpAction'],
    ["a plain function", { path: "/a", method: "GET", handler: () => 1 }, 'Route "/a" needs a handler'],
    ["no method", { path: "/a", handler }, 'Route "/a" needs a method'],
    ["an unknown method", { path: "/a", method: "BREW", handler }, 'Route "/a" has method "BREW"'],
    ["HEAD", { path: "/a", method: "HEAD", handler }, 'has method "HEAD"'],
    [
      "both",
      { path: "/a", pathPrefix: "/b/", method: "GET", handler },
      'Route "/a" has both path and pathPrefix "/b/"',
    ],
    ["neither", { method: "GET", handler }, "has neither path nor pathPrefix"],
    ["no leading slash", { path: "a", method: "GET", handler }, 'Route "a" must start with "/"'],
    ["a prefix without leading slash", { pathPrefix: "a/", method: "GET", handler }, 'Route "a/" must start with "/"'],
    [
      "a prefix without trailing slash",
      { pathPrefix: "/a", method: "GET", handler },
      'pathPrefix "/a" must end with "/"',
    ],
    ["a path twice", { path: "/exact", method: "GET", handler }, 'Cannot add GET path "/exact"'],
    ["a prefix twice", { pathPrefix: "/", method: "GET", handler }, 'Cannot add GET pathPrefix "/"'],
  ])("with %s, throws", (_, route, message) => {
    const router = httpRouter();
    for (const known of routes) router.route(known);
    expect(() => router.route(route as Route)).toThrow(message);
  });
});

describe("action", () => {
  const failing = httpAction(() => {
    throw new Error("SELECT secret");
  });

  test("that throws, 500 with a request id; in production without detail", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    vi.stubEnv("NODE_ENV", "production");
    const response = await ask([{ path: "/a", method: "GET", handler: failing }], "GET", "/a");
    vi.unstubAllEnvs();
    const body = await response.json();
    expect([response.status, body.code]).toEqual([500, "INTERNAL_SERVER_ERROR"]);
    expect(JSON.stringify(body)).not.toContain("SELECT");
    expect(log).toHaveBeenCalledWith(
      `Request ${body.requestId} to GET /a failed:`,
      expect.objectContaining({ message: "SELECT secret" }),
    );
    log.mockRestore();
  });

  test.each([
    [400, "BAD_REQUEST"],
    [402, "PAYMENT_REQUIRED"],
    [404, "NOT_FOUND"],
    [410, "GONE"],
    [429, "TOO_MANY_REQUESTS"],
    [499, "HTTP_499"],
    [502, "BAD_GATEWAY"],
  ])("that throws an HttpError of %i, the same with its message in production too", async (status, code) => {
    vi.stubEnv("NODE_ENV", "production");
    const throwing = httpAction(() => {
      throw new HttpError(status, "Because of this.");
    });
    const response = await ask([{ path: "/a", method: "GET", handler: throwing }], "GET", "/a");
    vi.unstubAllEnvs();
    const body = { code, message: "Because of this.", requestId: response.headers.get("x-request-id") };
    expect([response.status, await response.json()]).toEqual([status, body]);
  });

  test("that refuses what a browser sends without a script, a page with the message as text", async () => {
    const refuse = httpAction(() => {
      throw new HttpError(409, "No <b>two</b> & three.");
    });
    const route: Route = { path: "/a", method: "POST", handler: refuse, maxRequestSize: 3 };
    const headers = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
    const response = await ask([route], "POST", "/a", { headers });
    expect([response.status, response.headers.get("content-type")]).toEqual([409, "text/html; charset=utf-8"]);
    expect(await response.text()).toContain("<p>No &#60;b>two&#60;/b> &#38; three.</p>");
    const tooLarge = await ask([route], "POST", "/a", { headers: { ...headers, "Content-Length": "4" }, body: "four" });
    expect([tooLarge.status, await tooLarge.text()]).toEqual([413, expect.stringContaining("larger than 3 bytes")]);
    const byScript = await ask([route], "POST", "/a", { headers: { Accept: "*/*" } });
    expect(await byScript.json()).toMatchObject({ code: "CONFLICT" });
  });

  test("that throws an HttpError in a mutation it runs, the same", async () => {
    const refusing = internalMutation({
      handler: () => {
        throw new HttpError(410, "Taken back.");
      },
    });
    const action = httpAction(async (ctx) => Response.json(await ctx.runMutation(refusing)));
    const response = await ask([{ path: "/a", method: "GET", handler: action }], "GET", "/a");
    expect([response.status, await response.json()]).toMatchObject([410, { code: "GONE", message: "Taken back." }]);
  });

  test.each([[200], [302], [600], [Number.NaN]])("HttpError of %d, refused where it is written", (status) => {
    expect(() => new HttpError(status, "")).toThrow(`not ${status}`);
  });

  test("that returns no Response, 500", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const wrong = httpAction(() => "text" as unknown as Response);
    expect((await ask([{ path: "/a", method: "GET", handler: wrong }], "GET", "/a")).status).toBe(500);
    log.mockRestore();
  });

  const echo = httpAction(async (_, request) => new Response(await request.text()));
  const limited: Route[] = [{ path: "/a", method: "POST", handler: echo, maxRequestSize: 10, maxResponseSize: 8 }];
  const streamed = (text: string) => ({ body: new Blob([text]).stream(), duplex: "half" as const });

  test.each([
    ["within the limits", { body: "12345678" }, 200],
    ["announced as too large", { body: "12345678901", headers: { "content-length": "11" } }, 413],
    ["streamed and too large", streamed("12345678901"), 413],
  ])("body %s, %s", async (_, init, status) => {
    expect((await ask(limited, "POST", "/a", init)).status).toBe(status);
  });

  test("response larger than the limit, breaks off", async () => {
    const response = await ask(limited, "POST", "/a", { body: "123456789" });
    await expect(response.text()).rejects.toThrow("larger than 8 bytes");
  });

  test("sees the public origin, and the path as it was sent", async () => {
    const where = httpAction((_, request) => new Response(request.url));
    const response = await ask([{ pathPrefix: "/a/", method: "GET", handler: where }], "GET", "/a/x%2Fy+z/?q=%41");
    expect(await response.text()).toBe("http://app.test/http/a/x%2Fy+z/?q=%41");
  });

  test("runs nothing in what it returns, unless it says so", async () => {
    const own = httpAction(() => new Response("<p>", { headers: { "Content-Security-Policy": "script-src 'self'" } }));
    const silent = await ask([{ path: "/a", method: "GET", handler }], "GET", "/a");
    expect(silent.headers.get("content-security-policy")).toContain("sandbox");
    expect(silent.headers.get("x-content-type-options")).toBe("nosniff");
    const spoken = await ask([{ path: "/a", method: "GET", handler: own }], "GET", "/a");
    expect(spoken.headers.get("content-security-policy")).toBe("script-src 'self'");
  });
});

describe("pathSuffix", () => {
  test.each([
    ["/http/p/User+123", "User 123"],
    ["/http/p/a%20b%2Bc", "a b+c"],
    ["/http/p/", ""],
    ["/http/p/a/b", "a/b"],
  ])("%s, %j", (path, suffix) => {
    expect(pathSuffix(new Request(`http://app.test${path}`), "/p/")).toBe(suffix);
  });

  test("malformed, BAD_REQUEST", () => {
    expect(() => pathSuffix(new Request("http://app.test/http/p/%zz"), "/p/")).toThrow('Cannot decode path "%zz"');
  });
});

describe("cors", () => {
  const app = "https://app.example.com";
  const open = (options: Partial<Parameters<typeof cors>[0]> = {}): Route[] => [
    cors({ origins: [app], ...options })({ path: "/a", method: "POST", handler }),
  ];
  const preflight = { origin: app, "access-control-request-method": "POST" };

  test.each([
    ["listed", [app], app, app],
    ["not listed", [app], "https://evil.example.com", null],
    ["that starts alike", [app], `${app}.evil.com`, null],
    ["of another scheme", [app], "http://app.example.com", null],
    ["of another port", [app], `${app}:8443`, null],
    ["null", [app], "null", null],
    ["any", "*" as const, "https://x.test", "*"],
    ["any, in a list", ["*"], "https://x.test", "*"],
    ["a subdomain", ["https://*.example.com"], app, app],
    ["a deep subdomain", ["https://*.example.com"], "https://a.b.example.com", "https://a.b.example.com"],
    ["the domain itself", ["https://*.example.com"], "https://example.com", null],
    ["a lookalike", ["https://*.example.com"], "https://evilexample.com", null],
    ["a lookalike by dot", ["https://app.example.com"], "https://appxexample.com", null],
  ])("origin %s, allowed: %s %s", async (_, origins, origin, allowed) => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const response = await ask(open({ origins }), "POST", "/a", { headers: { origin } });
    expect(response.headers.get("access-control-allow-origin")).toBe(allowed);
    expect(response.headers.get("vary")).toContain("Origin");
    expect(await response.text()).toBe("handled");
    expect(warn).toHaveBeenCalledTimes(allowed ? 0 : 1);
    warn.mockRestore();
  });

  test("preflight, 204 with what is allowed", async () => {
    const options = { headers: ["Content-Type", "Digest"], credentials: true, maxAge: 60, exposedHeaders: ["ETag"] };
    const response = await ask(open(options), "OPTIONS", "/a", { headers: preflight });
    expect(response.status).toBe(204);
    expect(Object.fromEntries(response.headers)).toEqual({
      "access-control-allow-origin": app,
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "Content-Type, Digest",
      "access-control-expose-headers": "ETag",
      "access-control-max-age": "60",
      vary: "Origin",
      "x-request-id": expect.any(String),
    });
  });

  test("preflight of a path, lists only the methods opened", async () => {
    const opened = cors({ origins: [app] });
    const several: Route[] = [
      opened({ path: "/a", method: "GET", handler }),
      opened({ path: "/a", method: "PUT", handler }),
      { path: "/a", method: "DELETE", handler },
    ];
    const headers = { origin: app, "access-control-request-method": "PUT" };
    const response = await ask(several, "OPTIONS", "/a", { headers });
    expect(response.headers.get("access-control-allow-methods")).toBe("GET, PUT");
  });

  test("preflight of a refused origin, without CORS headers, explained in the log", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const response = await ask(open(), "OPTIONS", "/a", { headers: { ...preflight, origin: "https://x.test" } });
    expect([response.status, Object.fromEntries(response.headers)]).toEqual([
      204,
      { vary: "Origin", "x-request-id": expect.any(String) },
    ]);
    expect(warn).toHaveBeenCalledWith(expect.stringMatching(/"https:\/\/x\.test" may not call POST \/a/));
    warn.mockRestore();
  });

  test("OPTIONS that is no preflight, plain 200", async () => {
    const response = await ask(open(), "OPTIONS", "/a");
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([200, null]);
  });

  test("errors and 405, readable by the page", async () => {
    const headers = { origin: app };
    const limited = open().map((route) => ({ ...route, maxRequestSize: 1 }));
    const tooLarge = await ask(limited, "POST", "/a", { headers: { ...headers, "content-length": "2" }, body: "ab" });
    const other = await ask(open(), "DELETE", "/a", { headers });
    expect([tooLarge.status, tooLarge.headers.get("access-control-allow-origin")]).toEqual([413, app]);
    expect([other.status, other.headers.get("access-control-allow-origin")]).toEqual([405, app]);
  });

  test("credentials from anywhere, throws", () => {
    expect(() => cors({ origins: "*", credentials: true })).toThrow('Cannot allow credentials for origins "*"');
  });

  test("an origin with a path, throws", () => {
    expect(() => cors({ origins: ["https://a.test/x"] })).toThrow('Invalid origin "https://a.test/x"');
  });
});
