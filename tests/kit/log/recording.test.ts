import { TRPCError } from "@trpc/server";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { pool, prisma } from "~/kit/database/database";
import { action, internalMutation, mutation, query } from "~/kit/functions/builders";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { createRouter, serveRouter } from "~/kit/functions/router";
import { httpAction, httpRouter, type Route } from "~/kit/http/http-router";
import { serveHttp } from "~/kit/http/serve-http";
import { runDueJobs } from "~/kit/jobs/runner";
import { flush, observeConsole } from "~/kit/log/function-log";
import { linesOfRequest, listCalls } from "~/kit/log/read-function-log";
import { post, uploadFile } from "../caller";

const text = { author: "a", body: "b", format: "text" as const };

const greet = query({
  args: { name: z.string() },
  handler: (_, { name }) => {
    console.log("greeting %s", name, { times: 2 });
    console.warn("careful");
    return `hello ${name}`;
  },
});
const write = mutation({
  handler: async (ctx) => {
    console.log("writing");
    await ctx.db.message.create({ data: text });
    return null;
  },
});
const refuse = mutation({
  handler: () => {
    throw new TRPCError({ code: "FORBIDDEN", message: "Not you" });
  },
});
const fail = mutation({
  handler: async (ctx) => {
    await ctx.db.message.create({ data: text });
    throw new Error("broke", { cause: new Error("because") });
  },
});
const nest = action({
  handler: async (ctx) => {
    console.log("before");
    await ctx.runMutation(outer);
    console.log("after");
    return ctx.runQuery(greet, { name: "Ann" });
  },
});
const outer = internalMutation({
  handler: async (ctx) => {
    console.log("in outer");
    await ctx.runMutation(refuse).catch(() => console.log("caught"));
  },
});
const schedule = mutation({ handler: (ctx) => ctx.scheduler.runAfter(0, write) });
const chatty = query({
  handler: () => {
    for (let line = 0; line < 150; line++) console.debug(`line ${line}`);
    console.error("x".repeat(5_000));
  },
});
const long = query({ handler: () => console.info("y".repeat(5_000), "\0 \uD800") });

const router = createRouter({ test: { greet, write, refuse, fail, nest, outer, schedule, chatty, long } });
const serve = serveRouter(router);
for (const method of ["debug", "log", "info", "warn", "error"] as const) {
  vi.spyOn(console, method).mockImplementation(() => undefined);
}
observeConsole();

/** POSTs as a mutation, or GETs with an input as a query. */
async function call(name: string, input?: unknown) {
  const url = new URL(`http://app.test/api/trpc/test.${name}`);
  if (input !== undefined) url.searchParams.set("input", JSON.stringify({ json: input }));
  const response = await serve(new Request(url, { method: input === undefined ? "POST" : "GET" }));
  return response.status;
}

async function recorded() {
  await flush();
  return (await listCalls({ limit: 100 })).calls;
}

beforeEach(async () => {
  await flush();
  await pool.query('TRUNCATE "_calls", "_call_counts"');
});

describe("recorded is", () => {
  test("a query, with what it printed", async () => {
    expect(await call("greet", { name: "Ann" })).toBe(200);
    const [greeting, ...others] = await recorded();
    expect(others).toEqual([]);
    expect(greeting).toMatchObject({ function: "test.greet", kind: "query", depth: 0, outcome: "ok", error: null });
    expect(greeting?.lines.map(({ level, text }) => [level, text])).toEqual([
      ["info", "greeting Ann { times: 2 }"],
      ["warn", "careful"],
    ]);
    expect(greeting?.duration).toBeGreaterThan(0);
    expect(greeting?.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("a mutation that was refused, with the error's code and message", async () => {
    expect(await call("refuse")).toBe(403);
    expect(await recorded()).toMatchObject([{ kind: "mutation", outcome: "FORBIDDEN", error: "Not you", lines: [] }]);
  });

  test("a query with wrong arguments, BAD_REQUEST", async () => {
    expect(await call("greet", { name: 1 })).toBe(400);
    expect(await recorded()).toMatchObject([{ outcome: "BAD_REQUEST", error: expect.stringMatching(/^name: /) }]);
  });

  test("an unexpected error, with its stack and its cause's", async () => {
    expect(await call("fail")).toBe(500);
    const [failure] = await recorded();
    expect(failure?.outcome).toBe("INTERNAL_SERVER_ERROR");
    expect(failure?.error).toMatch(/^Error: broke\n +at .*\n(.*\n)*Caused by: Error: because\n +at /);
  });

  test("what a function runs, by itself, below it", async () => {
    expect(await call("nest")).toBe(200);
    const calls = await recorded();
    expect(calls.map(({ function: name, depth, outcome }) => [name, depth, outcome])).toEqual([
      ["test.nest", 0, "ok"],
      ["test.greet", 1, "ok"],
      ["test.outer", 1, "ok"],
      ["test.refuse", 2, "FORBIDDEN"],
    ]);
    const [{ requestId = "" } = {}] = calls;
    expect(new Set(calls.map((call) => call.requestId)).size).toBe(1);
    expect((await linesOfRequest(requestId)).map(({ function: name, text }) => [name, text])).toEqual([
      ["test.nest", "before"],
      ["test.outer", "in outer"],
      ["test.outer", "caught"],
      ["test.nest", "after"],
      ["test.greet", "greeting Ann { times: 2 }"],
      ["test.greet", "careful"],
    ]);
  });

  test("a scheduled function, under its job's id", async () => {
    const jobId = await actionCtx(createSystemContext()).runMutation(schedule);
    await runDueJobs(1_000);
    const calls = (await recorded()).filter((call) => call.requestId === jobId);
    expect(calls).toMatchObject([{ function: "test.write", kind: "mutation", outcome: "ok", depth: 0 }]);
  });

  test("an HTTP action, by its route, with the status of an answer that is a failure", async () => {
    const routes = httpRouter();
    const add = (route: Partial<Route>, answer: () => Response) =>
      routes.route({ method: "GET", handler: httpAction(answer), ...route } as Route);
    add({ path: "/ok" }, () => new Response("fine"));
    add({ pathPrefix: "/gone/" }, () => new Response("", { status: 410 }));
    add({ path: "/bad" }, () => {
      throw new Error("broke");
    });
    const get = (path: string) => serveHttp(routes)(new Request(`http://app.test/http${path}`));
    await get("/ok?token=secret");
    await get("/gone/x");
    const { requestId } = await (await get("/bad")).json();
    expect((await recorded()).map(({ function: name, kind, outcome }) => [name, kind, outcome])).toEqual([
      ["GET /bad", "httpAction", "INTERNAL_SERVER_ERROR"],
      ["GET /gone/*", "httpAction", "HTTP 410"],
      ["GET /ok", "httpAction", "ok"],
    ]);
    expect((await recorded())[0]?.requestId).toBe(requestId);
  });
});

describe("of a size to keep are", () => {
  test("the lines of a call: a hundred, and how many more there were", async () => {
    await call("chatty", {});
    const [{ lines = [] } = {}] = await recorded();
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)?.text).toBe("51 more lines are not kept: a call has 100 at most");
  });

  test("a line: a thousand characters, and such as PostgreSQL takes", async () => {
    await call("long", {});
    const [{ lines = [] } = {}] = await recorded();
    expect(lines[0]?.text).toBe(`${"y".repeat(1_000)}… (4004 more characters)`);
  });

  test("an error: ten thousand characters", async () => {
    const huge = query({ handler: () => Promise.reject(new Error("z".repeat(20_000))) });
    await expect(actionCtx(createSystemContext()).runQuery(huge)).rejects.toThrow();
    const [{ error = "" } = {}] = await recorded();
    expect(error?.length).toBeLessThan(10_100);
  });

  test("characters that PostgreSQL refuses, replaced", async () => {
    const odd = query({ handler: () => console.log("a\0b\uD800c") });
    await actionCtx(createSystemContext()).runQuery(odd);
    expect((await recorded())[0]?.lines[0]?.text).toBe("a\uFFFDb\uFFFDc");
  });
});

test("secrets that functions print or throw are not recorded", async () => {
  const token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmUtc2lnbmF0dXJl";
  const secrets: string[] = ["hunter2", token];
  const leak = action({
    handler: async (ctx) => {
      const upload = await ctx.storage.generateUploadUrl();
      const file = (await ctx.storage.getUrl(storageId)) ?? "";
      secrets.push(new URL(upload).searchParams.get("token") ?? "", file.split("/").at(-1) ?? "");
      console.log(upload, { upload }, file);
      console.log(new Headers({ Authorization: `Bearer ${token}` }), `authorization: bearer ${token}`);
      console.log(`cookie: better-auth.session_token=${token}; postgresql://me:hunter2@db/app`);
      console.log("https://s3.test/key?X-Amz-Credential=hunter2&X-Amz-Signature=hunter2&x=1");
      throw new Error(`Could not fetch ${upload}`, { cause: new Error(`of ${file} with ${token}`) });
    },
  });
  const storageId = await uploadFile("bytes");
  await expect(actionCtx(createSystemContext()).runAction(leak)).rejects.toThrow();
  await flush();
  const { rows } = await pool.query<{ row: string }>(
    `SELECT "_calls"::text AS row FROM "_calls" WHERE "lines" IS NOT NULL`,
  );
  expect(rows).toHaveLength(1);
  expect(secrets).toHaveLength(4);
  for (const secret of secrets) expect(rows[0]?.row).not.toContain(secret);
  expect(rows[0]?.row).toContain("x=1");
});

test("no live query hears of the log, whose writes announce nothing", async () => {
  const { rows } = await pool.query(
    `SELECT tgname FROM pg_trigger WHERE tgname LIKE 'announce%' AND tgrelid IN ('"_calls"'::regclass, '"_call_counts"'::regclass)`,
  );
  expect(rows).toEqual([]);
});

test("a mutation that runs again after a conflict is recorded once", async () => {
  let runs = 0;
  const contended = mutation({
    handler: async (ctx) => {
      runs += 1;
      const { id } = await ctx.db.message.findFirstOrThrow();
      if (runs === 1) await prisma.message.update({ where: { id }, data: { body: "theirs" } });
      await ctx.db.message.update({ where: { id }, data: { body: "mine" } });
    },
  });
  await actionCtx(createSystemContext()).runMutation(write);
  await actionCtx(createSystemContext()).runMutation(contended);
  expect(runs).toBe(2);
  expect((await recorded()).map(({ outcome }) => outcome)).toEqual(["ok", "ok"]);
});

test("an upload is not a function", async () => {
  await post("http://app.test/api/storage/upload?token=none", "bytes");
  expect(await recorded()).toEqual([]);
});
