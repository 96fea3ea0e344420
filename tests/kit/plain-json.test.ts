import { TRPCError } from "@trpc/server";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { auth } from "~/kit/auth/better-auth";
import { prisma } from "~/kit/database/database";
import { DatabaseUnavailable } from "~/kit/database/errors";
import { action, internalQuery, mutation, query } from "~/kit/functions/builders";
import { servePlainJson } from "~/kit/functions/plain-json";
import { createRouter } from "~/kit/functions/router";
import { flush } from "~/kit/log/function-log";
import { limits } from "~/kit/process/limits";

// Sets this before the settings are first imported and read.
vi.hoisted(() => {
  process.env.RATE_LIMIT_FETCHES = "1";
});

const module = {
  echo: query({ args: { text: z.string().max(10).optional() }, handler: (_, { text = "nothing" }) => text }),
  nothing: mutation({ handler: () => undefined }),
  add: action({ args: { a: z.int(), b: z.int() }, handler: (_, { a, b }) => a + b }),
  who: query({ handler: async (ctx) => (await ctx.auth.getUserIdentity())?.subject ?? null }),
  limited: mutation({ handler: (ctx) => ctx.limitRate("fetches") }),
  odd: query({
    handler: () => ({
      date: new Date(0),
      bytes: new Uint8Array([1, 2]),
      buffer: Buffer.from("ab"),
      set: new Set([1]),
      map: new Map([["a", 1]]),
      gone: undefined,
    }),
  }),
  teapot: query({
    handler: () => {
      throw new TRPCError({ code: "CONFLICT", message: "Not now" });
    },
  }),
  broken: query({
    handler: () => {
      throw new Error("password is hunter2");
    },
  }),
  outage: query({
    handler: () => {
      throw new DatabaseUnavailable(new Error("gone"));
    },
  }),
  secret: internalQuery({ handler: () => "secret" }),
};
const handler = servePlainJson(createRouter({ plain: module }));

async function ask(path: string, args?: unknown, init: RequestInit = {}) {
  const body = args === undefined ? null : typeof args === "string" ? args : JSON.stringify(args);
  const response = await handler(new Request(`http://app.test/api/run/${path}`, { method: "POST", body, ...init }));
  const answer: { code?: string; message?: string; requestId?: string } = await response.json();
  return { status: response.status, headers: response.headers, answer };
}

/** The cookie of a visitor's new session. */
const signIn = async () => {
  const request = new Request("http://app.test/api/auth/sign-in/anonymous", { method: "POST" });
  const response = await auth({ owners: {} }).handler(request);
  return response.headers
    .getSetCookie()
    .map((set) => set.split(";")[0])
    .join("; ");
};

describe("a call in plain JSON", () => {
  test.each(["plain/echo", "plain:echo", "plain%3Aecho", "plain.echo"])(
    "at %s is answered with the result",
    async (path) => {
      const { status, headers, answer } = await ask(path, { text: "hello" });
      expect([status, answer]).toEqual([200, "hello"]);
      expect(headers.get("cache-control")).toBe("private, no-store");
      expect(headers.get("x-request-id")).toBeTruthy();
    },
  );

  test("needs no body where all arguments are optional, and no content type", async () => {
    expect((await ask("plain/echo")).answer).toBe("nothing");
    expect((await ask("plain/echo", '{"text":"a"}', { headers: { "Content-Type": "text/plain" } })).answer).toBe("a");
  });

  test("of a mutation without a result is answered with null, and one of an action with its result", async () => {
    expect((await ask("plain/nothing", {})).answer).toBeNull();
    expect((await ask("plain/add", { a: 1, b: 2 })).answer).toBe(3);
  });

  test("has values that JSON has no word for as texts and lists", async () => {
    expect((await ask("plain/odd")).answer).toEqual({
      date: "1970-01-01T00:00:00.000Z",
      bytes: "AQI=",
      buffer: "YWI=",
      set: [1],
      map: [["a", 1]],
    });
  });

  test("is in the function log, under the request's id", async () => {
    const { headers } = await ask("plain/echo", { text: "logged" });
    await flush();
    const calls =
      await prisma.$queryRaw`SELECT function, outcome FROM _calls WHERE "requestId" = ${headers.get("x-request-id")}`;
    expect(calls).toEqual([{ function: "plain.echo", outcome: "ok" }]);
  });
});

describe("a refusal", () => {
  const deep = `${'{"text":'.repeat(limits.argumentDepth + 2)}1${"}".repeat(limits.argumentDepth + 2)}`;
  test.each<[what: string, path: string, args: unknown, status: number, code: string, message: RegExp]>([
    ["of a wrong argument", "plain/echo", { text: "far too long" }, 400, "BAD_REQUEST", /^text: /],
    ["of a body that is no JSON", "plain/echo", "{", 400, "BAD_REQUEST", /Cannot parse the body as JSON/],
    ["of a list", "plain/echo", [1], 400, "BAD_REQUEST", /arguments: /],
    ["of deep arguments", "plain/echo", deep, 400, "BAD_REQUEST", /nested more than/],
    ["of a NUL", "plain/echo", { text: "a\0" }, 400, "BAD_REQUEST", /^text: .*NUL/],
    [
      "of many values",
      "plain/echo",
      `[${"1,".repeat(limits.argumentValues)}1]`,
      400,
      "BAD_REQUEST",
      /more than \d+ values/,
    ],
    ["of a large body", "plain/echo", { text: "a".repeat(limits.jsonBytes) }, 413, "PAYLOAD_TOO_LARGE", /larger than/],
    ["of an unknown function", "plain/none", {}, 404, "NOT_FOUND", /There is no function "plain.none"/],
    ["of an internal function", "plain/secret", {}, 404, "NOT_FOUND", /There is no function "plain.secret"/],
    ["of the dashboard's functions", "dashboard/files/total", {}, 404, "NOT_FOUND", /There is no function/],
    ["of the stream of changes", "_kit/changes", {}, 404, "NOT_FOUND", /There is no function/],
    ["of no name", "", {}, 404, "NOT_FOUND", /There is no function ""/],
    ["of an inherited name", "plain/toString", {}, 404, "NOT_FOUND", /There is no function/],
    ["that the function threw", "plain/teapot", {}, 409, "CONFLICT", /^Not now$/],
    ["for an outage of the database", "plain/outage", {}, 503, "SERVICE_UNAVAILABLE", /does not answer/],
  ])("%s has its status, code, message and request id", async (_, path, args, status, code, message) => {
    const refused = await ask(path, args);
    expect(refused.status).toBe(status);
    expect(refused.answer).toEqual({ code, message: expect.stringMatching(message), requestId: expect.any(String) });
    expect(refused.answer.requestId).toBe(refused.headers.get("x-request-id"));
    expect(refused.headers.get("retry-after")).toBe(status === 503 ? "1" : null);
  });

  test("of another method names the one that works", async () => {
    const response = await handler(new Request("http://app.test/api/run/plain/echo"));
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
    expect(await response.json()).toMatchObject({ code: "METHOD_NOT_SUPPORTED" });
  });

  test("of too many calls says when to come back", async () => {
    const headers = { cookie: await signIn() };
    expect((await ask("plain/limited", {}, { headers })).status).toBe(200);
    const last = await ask("plain/limited", {}, { headers });
    expect([last.status, last.answer.code]).toEqual([429, "TOO_MANY_REQUESTS"]);
    expect(Number(last.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  test("for a failure is logged with its reason, which production keeps to itself", async () => {
    vi.stubEnv("NODE_ENV", "production");
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { status, answer } = await ask("plain/broken");
    expect(status).toBe(500);
    expect(answer.message).toBe(`The server failed; quote request ${answer.requestId} to its operator`);
    expect(log.mock.calls.flat().map(String).join()).toContain("hunter2");
    log.mockRestore();
    vi.unstubAllEnvs();
  });
});

describe("whoever calls", () => {
  test("is known by their cookie, which pages of other sites cannot use", async () => {
    const cookie = await signIn();
    expect((await ask("plain/who", {}, { headers: { cookie } })).answer).toEqual(expect.any(String));
    const foreign = await ask(
      "plain/echo",
      {},
      { headers: { cookie, origin: "https://evil.test", "sec-fetch-site": "cross-site" } },
    );
    expect([foreign.status, foreign.answer.code]).toEqual([403, "FORBIDDEN"]);
    const own = await ask("plain/who", {}, { headers: { cookie, origin: "http://app.test" } });
    expect(own.status).toBe(200);
  });

  test("is refused with a token that is not valid, even by a function that reads no identity", async () => {
    const refused = await ask("plain/echo", {}, { headers: { Authorization: "Bearer nonsense" } });
    expect([refused.status, refused.answer.code]).toEqual([401, "UNAUTHORIZED"]);
  });

  test("is nobody without either", async () => {
    expect((await ask("plain/who")).answer).toBeNull();
  });
});
