import { afterEach, describe, expect, test, vi } from "vitest";
import { app } from "~/functions";
import { serveAuth } from "~/kit/auth/serve-auth";
import { serveRouter } from "~/kit/functions/router";
import { serveHttp } from "~/kit/http/serve-http";
import { serveCron } from "~/kit/jobs/runner";
import { currentRequestId, withRequestId } from "~/kit/log/scope";
import { env } from "~/kit/process/env";
import { serveHealth } from "~/kit/process/health";

const { crons, http, router } = app;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

afterEach(() => {
  Object.assign(env, { TRUST_PROXY: 0 });
  vi.unstubAllEnvs();
});

describe("X-Request-Id", () => {
  test.each<[string, (request: Request) => Promise<Response>, string, number, string?]>([
    ["of a query", serveRouter(router), "/api/trpc/messages.list", 200],
    ["of an unknown function", serveRouter(router), "/api/trpc/none.none", 404],
    ["of an HTTP action", serveHttp(http), "/http/getMessagesByAuthor", 200],
    ["of a path without a route", serveHttp(http), "/http/none", 404],
    ["of an HTTP action by HEAD", serveHttp(http), "/http/getMessagesByAuthor", 200, "HEAD"],
    ["of a session", serveAuth({ owners: {} }), "/api/auth/get-session", 200],
    ["of the health", serveHealth, "/api/health", 200],
    ["of a refused cron", serveCron(crons), "/api/cron", 401],
  ])("%s", async (_, serve, path, status, method = "GET") => {
    const ask = () => serve(new Request(`http://app.test${path}`, { method }));
    const [one, other] = [await ask(), await ask()];
    expect(one.status).toBe(status);
    expect(one.headers.get("x-request-id")).toMatch(uuid);
    expect(other.headers.get("x-request-id")).not.toBe(one.headers.get("x-request-id"));
  });
});

describe("the id that a request comes with", () => {
  const echo = withRequestId(() => Response.json(currentRequestId()));
  const ask = async (headers: HeadersInit) => {
    const response = await echo(new Request("http://app.test", { headers }));
    const id: string = await response.json();
    expect(response.headers.get("x-request-id")).toBe(id);
    return id;
  };

  test("is not believed from anyone", async () => {
    expect(await ask({ "X-Request-Id": "mine", "X-Vercel-Id": "mine" })).toMatch(uuid);
  });

  test("is taken from a proxy that is trusted", async () => {
    Object.assign(env, { TRUST_PROXY: 1 });
    expect(await ask({ "X-Request-Id": "3f9c-1" })).toBe("3f9c-1");
    expect(await ask({})).toMatch(uuid);
  });

  test("is taken from Vercel", async () => {
    vi.stubEnv("VERCEL", "1");
    expect(await ask({ "X-Vercel-Id": "fra1::iad1::abcde-1-2", "X-Request-Id": "mine" })).toBe("fra1::iad1::abcde-1-2");
  });

  test.each(["", "a b", "<b>", "x".repeat(129)])("is none when it is %j", async (id) => {
    Object.assign(env, { TRUST_PROXY: 1 });
    expect(await ask({ "X-Request-Id": id })).toMatch(uuid);
  });
});
