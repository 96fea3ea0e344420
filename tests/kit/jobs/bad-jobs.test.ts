import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { pools, prisma } from "~/kit/database/database";
import { DatabaseUnavailable } from "~/kit/database/errors";
import { action, internalAction, internalMutation, mutation, query, t } from "~/kit/functions/builders";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { createRouter } from "~/kit/functions/router";
import { checkCrons, cronJobs, ensureCronJobs, setCrons } from "~/kit/jobs/crons";
import { settle } from "~/kit/jobs/jobs";
import { runDueJobs, startRunner } from "~/kit/jobs/runner";
import { env } from "~/kit/process/env";
import { eventually } from "../eventually";

const caller = createSystemContext();
const mutate = actionCtx(caller).runMutation;
const act = actionCtx(caller).runAction;

/** The error of `fetch` when a service is down. */
const serviceDown = () =>
  Object.assign(new TypeError("fetch failed"), {
    cause: Object.assign(new Error("connect"), { code: "ECONNREFUSED" }),
  });
const thrown: Record<string, () => unknown> = {
  fetch: serviceDown,
  text: () => new Error("Connection terminated unexpectedly"),
  code: () => Object.assign(new Error("closed"), { code: "P1017" }),
  nul: () => new Error("a\0b \ud800"),
  long: () => new Error("x".repeat(5_000_000)),
  bare: () => Object.create(null),
  symbol: () => Symbol("odd"),
  nothing: () => undefined,
  hostile: () => ({
    toString() {
      throw new Error("no text");
    },
  }),
};
let attempts: string[] = [];
const author = { author: z.string() };
const write = internalMutation({
  args: author,
  handler: (ctx, { author }) => ctx.db.message.create({ data: { author, body: "ran", format: "text" } }),
});
const throws = internalMutation({
  args: { what: z.string() },
  handler: async (ctx, { what }) => {
    attempts.push(what);
    await ctx.db.message.count();
    throw thrown[what]?.();
  },
});
const hangs = internalMutation({
  handler: async (ctx) => {
    attempts.push("hangs");
    await ctx.db.message.count();
    await new Promise(() => undefined);
  },
});
let signal: AbortSignal | undefined;
const hangingAction = internalAction({
  handler: async (ctx) => {
    signal = ctx.signal;
    await new Promise(() => undefined);
  },
});
const acts = internalAction({ args: author, handler: (ctx, given) => ctx.runMutation(write, given) });
let concurrent = 0;
let most = 0;
const slow = async () => {
  most = Math.max(most, ++concurrent);
  await sleep(150);
  concurrent--;
};
const slowAction = internalAction({ handler: slow });
const slowMutation = internalMutation({
  handler: async (ctx) => {
    await ctx.db.message.count();
    await slow();
  },
});
const listed = query({ handler: (ctx) => ctx.db.system.query("_scheduled_functions").take(100) });
const router = createRouter({ bad: { write, throws, hangs, hangingAction, acts, slowAction, slowMutation, listed } });
const api = t.createCallerFactory(router)(caller);

const jobs = () => prisma.scheduledFunction.findMany({ orderBy: { id: "asc" } });
const states = async () => (await jobs()).map(({ state }) => state);
const count = (author: string) => prisma.message.count({ where: { author } });
const insert = (name: string, json: object, more: object = {}) =>
  prisma.scheduledFunction.create({
    data: { name: `bad.${name}`, args: { json }, scheduledTime: new Date(), ...more },
  });

beforeEach(async () => {
  attempts = [];
  await prisma.scheduledFunction.deleteMany();
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});

afterEach(() => {
  setCrons(cronJobs());
  vi.restoreAllMocks();
});

describe("a job", () => {
  test.each(Object.keys(thrown))("that throws %s, fails once and for good, with a text", async (what) => {
    await insert("throws", { what });
    await runDueJobs(1000);
    await runDueJobs(1000);
    const [job] = await jobs();
    expect([attempts, job?.state, typeof job?.error]).toEqual([[what], "failed", "string"]);
    expect(job?.error?.length).toBeLessThan(11_000);
  });

  test.each([{ json: { author: "a" }, meta: { values: { author: ["custom", "x"] } } }, null, 5, {}])(
    "with arguments %j, fails alone, and lists of jobs still work",
    async (args) => {
      await prisma.$executeRaw`
        INSERT INTO "_scheduled_functions" ("_id", "name", "args", "scheduledTime")
        VALUES (gen_random_uuid(), 'bad.write', ${JSON.stringify(args)}::jsonb, now())`;
      await insert("write", { author: "beside" });
      await runDueJobs(1000);
      expect((await states()).sort()).toEqual(["failed", "success"].sort());
      expect(await api.bad.listed()).toHaveLength(2);
    },
  );

  test("that throws what looks like a lost connection, keeps no other from running", async () => {
    await Promise.all(Array.from({ length: 20 }, () => insert("throws", { what: "fetch" })));
    await insert("write", { author: "behind" });
    const stop = startRunner();
    await eventually(async () => expect(await count("behind")).toBe(1));
    await eventually(async () => expect(await states()).not.toContain("pending"));
    await stop();
    expect(attempts).toHaveLength(20);
  });

  test("whose database went away, is tried again later and later, and never before its time", async () => {
    await insert("write", { author: "retried" });
    const transactions = vi.spyOn(prisma, "$transaction");
    transactions.mockRejectedValueOnce(new DatabaseUnavailable(new Error("gone")));
    await runDueJobs(500);
    const [job] = await jobs();
    expect(job).toMatchObject({ state: "pending", attempts: 1 });
    expect(job?.retryAt?.getTime()).toBeGreaterThan(Date.now());
    transactions.mockRestore();
    expect(await runDueJobs(500)).toBe(0);
    await prisma.scheduledFunction.updateMany({ data: { retryAt: new Date() } });
    await runDueJobs(500);
    expect([await states(), await count("retried")]).toEqual([["success"], 1]);
  });

  test("that could not run before, leaves places to those that never ran", async () => {
    const again = { attempts: 3, retryAt: new Date() };
    await Promise.all(Array.from({ length: 12 }, () => insert("hangs", {}, again)));
    await insert("write", { author: "first time" });
    const stop = startRunner();
    vi.spyOn(env, "TRANSACTION_TIMEOUT", "get").mockReturnValue(400);
    await eventually(async () => expect(await count("first time")).toBe(1));
    expect(attempts.length).toBeLessThan(5);
    await prisma.scheduledFunction.deleteMany({ where: { state: "pending" } });
    await stop();
  });

  test("that hangs, ends with the time limit and fails for good", async () => {
    vi.spyOn(env, "TRANSACTION_TIMEOUT", "get").mockReturnValue(200);
    await insert("hangs", {});
    await runDueJobs(1000);
    expect([attempts, (await jobs())[0]]).toMatchObject([["hangs"], { state: "failed", error: /longer than 0.2 s/ }]);
  });
});

describe("an action", () => {
  test("that takes longer than its limit, is told by its signal, fails, and gives its place back", async () => {
    vi.spyOn(env, "ACTION_TIMEOUT", "get").mockReturnValue(500);
    await Promise.all(Array.from({ length: 9 }, () => insert("hangingAction", {})));
    await insert("acts", { author: "after nine" });
    await runDueJobs(5_000);
    expect(signal?.aborted).toBe(true);
    expect([await count("after nine"), new Set((await jobs()).map(({ error }) => error))]).toEqual([
      1,
      new Set([expect.stringContaining("longer than 0.5 s"), null]),
    ]);
  });

  test("called by a function, has the same limit, and the signal of whoever calls", async () => {
    vi.spyOn(env, "ACTION_TIMEOUT", "get").mockReturnValue(100);
    await expect(act(hangingAction)).rejects.toMatchObject({ code: "TIMEOUT" });
    const gone = new AbortController();
    const outer = action({ handler: (ctx) => Promise.race([ctx.runAction(hangingAction), sleep(20)]) });
    await actionCtx({ ...caller, signal: gone.signal }).runAction(outer);
    gone.abort();
    expect(signal?.aborted).toBe(true);
  });

  test("whose taking lost its connection, is not failed: it runs once the database is back", async () => {
    await insert("acts", { author: "taken" });
    const query = pools.functions.query.bind(pools.functions);
    const spy = vi.spyOn(pools.functions, "query");
    let lost = 0;
    spy.mockImplementation((async (config: { text: string }) => {
      const result = await query(config);
      // The statement takes effect, but its answer is lost.
      if (/"state" = 'inProgress', "takenBy"/.test(config.text) && lost++ === 0)
        throw new Error("Connection terminated");
      return result;
    }) as never);
    await runDueJobs(500);
    spy.mockRestore();
    expect(await states()).toEqual(["inProgress"]);
    await settle();
    expect((await jobs())[0]).toMatchObject({ state: "pending", attempts: 1 });
    await prisma.scheduledFunction.updateMany({ data: { retryAt: new Date() } });
    await runDueJobs(500);
    expect([await states(), await count("taken")]).toEqual([["success"], 1]);
  });
});

describe("a recurring function", () => {
  test.each(["slowAction", "slowMutation"])("(%s) runs one at a time, over several runners", async (name) => {
    most = 0;
    const at = (second: number) => ({ cron: "often", scheduledTime: new Date(Date.now() - second * 1000) });
    for (const second of [5, 4, 3, 2, 1]) await insert(name, {}, at(second));
    await Promise.all([runDueJobs(1000), runDueJobs(1000), runDueJobs(1000)]);
    await insert(name, {}, at(0));
    await Promise.all([runDueJobs(1000), runDueJobs(1000)]);
    expect(most).toBe(1);
    const ended = await states();
    expect([ended.filter((state) => state === "success").length, ended.includes("pending")]).toEqual([2, false]);
    expect((await jobs()).filter(({ state }) => state === "canceled").map(({ error }) => error)).toEqual(
      Array.from({ length: 4 }, () => expect.stringContaining("Passed over")),
    );
  });

  test("that no listed file exports, refuses the start with what to do, and stops no other", async () => {
    const crons = cronJobs();
    crons.interval("unlisted", { hours: 1 }, internalMutation({ handler: () => undefined }));
    crons.interval("listed", { hours: 1 }, write, { author: "a" });
    expect(() => checkCrons(crons)).toThrow(/"unlisted" cannot run.*src\/functions\/index\.ts/);
    setCrons(crons);
    await insert("write", { author: "beside a cron" });
    await runDueJobs(500);
    await ensureCronJobs();
    expect([await count("beside a cron"), (await jobs()).map(({ cron }) => cron)]).toEqual([1, [null, "listed"]]);
    expect(vi.mocked(console.error)).toHaveBeenCalledTimes(1);
  });
});

test("mutate schedules for later, for the runner", async () => {
  await mutate(mutation({ handler: (ctx) => ctx.scheduler.runAfter(0, write, { author: "plain" }) }));
  await runDueJobs(500);
  expect(await count("plain")).toBe(1);
});
