import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { startQuietProxy, withoutParameter } from "./stand-ins/quiet-proxy";

// There is only one connection for all functions, so code that waits for a second one waits endlessly.
process.env.DATABASE_POOL_SIZE = "1";
const { DatabaseUnavailable } = await import("~/kit/database/errors");
const { http, router } = (await import("~/functions")).app;
const { mutation } = await import("~/kit/functions/builders");
const { Pool, WrongTimeZone } = await import("~/kit/database/connections");
const { pools, prisma } = await import("~/kit/database/database");
const { createRequestContext } = await import("~/kit/functions/request-context");
const { actionCtx } = await import("~/kit/functions/context");
const { serveAuth: serveAuthOf } = await import("~/kit/auth/serve-auth");
const serveAuth = serveAuthOf({ owners: {} });
const { serveHealth } = await import("~/kit/process/health");
const { serve } = await import("~/kit/storage/serve");
const { createFileUrl, createUploadUrl } = await import("~/kit/storage/tokens");
const { upload } = await import("~/kit/storage/upload");
const { serveHttp } = await import("~/kit/http/serve-http");
const { serveRouter } = await import("~/kit/functions/router");

const databaseUrl = process.env.DATABASE_URL ?? "";
const origin = process.env.APP_ORIGIN ?? "";

afterEach(() => {
  vi.restoreAllMocks();
});

async function visitor(): Promise<{ cookie: string; token: string }> {
  const headers = { "Content-Type": "application/json", Origin: origin };
  const signedIn = await serveAuth(
    new Request(`${origin}/api/auth/sign-in/anonymous`, { method: "POST", headers, body: "{}" }),
  );
  const cookie = signedIn.headers
    .getSetCookie()
    .map((line) => line.split(";", 1)[0])
    .join("; ");
  const tokenAnswer = await serveAuth(new Request(`${origin}/api/auth/token`, { headers: { cookie } }));
  const { token }: { token: string } = await tokenAnswer.json();
  return { cookie, token };
}

describe("with a pool of one connection", () => {
  const lookUpCheckMint = mutation({
    handler: async (ctx) => {
      await ctx.db.message.count();
      const identity = await ctx.auth.getUserIdentity();
      return identity && ctx.storage.generateUploadUrl();
    },
  });

  test("ten mutations that look up, check who calls and mint a URL all end, by cookie or by token", async () => {
    const { cookie, token } = await visitor();
    const credentials: Record<string, string>[] = [{ cookie, origin }, { authorization: `Bearer ${token}` }];
    const calls = Array.from({ length: 10 }, (_, n) => {
      const headers = new Headers(credentials[n % 2]);
      return actionCtx(createRequestContext({ method: "POST", headers })).runMutation(lookUpCheckMint);
    });
    expect((await Promise.all(calls)).every((url) => url?.startsWith(`${origin}/api/storage/upload`))).toBe(true);
  });

  test("visitors who sign up at once all become accounts, and take what is theirs along", async () => {
    const signUps = Array.from({ length: 5 }, async (_, n) => {
      const { cookie } = await visitor();
      const body = JSON.stringify({ email: `pool${n}@example.com`, password: "correct horse", name: "Pool" });
      const headers = { "Content-Type": "application/json", Origin: origin, cookie };
      return (await serveAuth(new Request(`${origin}/api/auth/sign-up/email`, { method: "POST", headers, body })))
        .status;
    });
    expect(await Promise.all(signUps)).toEqual([200, 200, 200, 200, 200]);
  });

  test("a batch of tRPC calls by cookie is answered, every one", async () => {
    const { cookie } = await visitor();
    const names = Array.from({ length: 10 }, () => "files.list").join(",");
    const input = encodeURIComponent(
      JSON.stringify(Object.fromEntries(names.split(",").map((_, n) => [n, { json: {} }]))),
    );
    const response = await serveRouter(router)(
      new Request(`${origin}/api/trpc/${names}?batch=1&input=${input}`, { headers: { cookie } }),
    );
    expect(response.status).toBe(200);
  });
});

describe("a pool whose connections are all in use", () => {
  test("refuses whoever waits too long: 503, to be tried again", async () => {
    const held = await pools.functions.connect();
    pools.functions.options.connectionTimeoutMillis = 100;
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const requests = {
      "/api/trpc/messages.list": serveRouter(router),
      [new URL(createFileUrl(origin, "01990000-0000-7000-8000-000000000000")).pathname]: serve,
      [createUploadUrl("")]: upload,
      "/http/postMessage": serveHttp(http),
      "/api/auth/sign-in/anonymous": serveAuth,
    };
    for (const [path, handle] of Object.entries(requests)) {
      const isRead = handle === serve || path.startsWith("/api/trpc");
      const headers = { "Content-Type": "application/json", Origin: origin };
      const body = JSON.stringify({ author: "a", body: "b" });
      const response = await handle(new Request(origin + path, isRead ? {} : { method: "POST", headers, body }));
      expect([path, response.status, await response.text()]).toEqual([path, 503, expect.stringContaining("try again")]);
    }
    pools.functions.options.connectionTimeoutMillis = 10_000;
    held.release();
  });
});

describe("a database that falls silent", () => {
  let proxy: Awaited<ReturnType<typeof startQuietProxy>>;
  beforeAll(async () => {
    proxy = await startQuietProxy(databaseUrl);
  });
  afterAll(() => proxy.stop());

  test("fails what waits for it, with a line that names its host; once it is back, everything works", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const pool = new Pool({ url: proxy.url, size: 2, waitTimeout: 300, statementTimeout: 300 });
    await pool.sql("SELECT 1");
    proxy.fallSilent();
    // The first finds a connection there, the second has to make one, the third finds none free.
    const failures = await Promise.allSettled([1, 2, 3].map(() => pool.sql("SELECT 1")));
    for (const failure of failures) {
      expect(failure).toMatchObject({ status: "rejected", reason: expect.any(DatabaseUnavailable) });
    }
    expect(log.mock.calls.flat().join("\n")).toContain(new URL(proxy.url).host);
    proxy.speakAgain();
    expect(await pool.sql("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await pool.end();
  });

  test("is what /api/health says within five seconds", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    vi.spyOn(pools.lookups, "sql").mockReturnValue(new Promise(() => undefined));
    const response = await serveHealth(new Request(`${origin}/api/health`));
    expect([response.status, await response.json()]).toMatchObject([503, { database: "unavailable" }]);
  });
});

describe("times", () => {
  test("are right in a database and a process that are not in UTC", async () => {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const [database] = await prisma.$queryRaw<{ zone: string }[]>`
      SELECT split_part(setting, '=', 2) AS zone FROM pg_db_role_setting, unnest(setconfig) AS setting
      WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) AND setting ~* '^timezone='`;
    expect([zone, database?.zone]).not.toContain("UTC");
    const before = Date.now();
    const written = new Date(before);
    const { id } = await prisma.message.create({ data: { author: "a", body: "b", format: "text" } });
    const { creationTime } = await prisma.message.findUniqueOrThrow({ where: { id } });
    expect(Math.abs(creationTime.getTime() - before)).toBeLessThan(60_000);
    const [row] = await prisma.$queryRaw<{ drift: number }[]>`
      SELECT abs(extract(epoch FROM now() - ${written}::timestamptz))::float AS drift`;
    expect(row?.drift).toBeLessThan(60);
    expect(await prisma.message.count({ where: { id, creationTime: { gte: new Date(before - 60_000) } } })).toBe(1);
    expect(await prisma.message.count({ where: { id, creationTime: { lte: new Date(before - 60_000) } } })).toBe(0);
  });

  test("cannot be wrong behind a pooler that ignores the zone: connections are refused, with what to run", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const proxy = await startQuietProxy(databaseUrl, withoutParameter("TimeZone"));
    const pool = new Pool({ url: proxy.url, size: 1, statementTimeout: 1_000 });
    const failure = await pool.sql("SELECT 1").catch((error) => error);
    expect(failure.reason).toBeInstanceOf(WrongTimeZone);
    expect(failure.reason.message).toMatch(/America\/St_Johns.*ALTER DATABASE "test_\w+" SET timezone TO 'UTC'/);
    await pool.end();
    proxy.stop();
  });
});
