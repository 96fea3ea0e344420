import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { prisma } from "~/kit/database/database";
import { action, internalAction, internalMutation, mutation, query, t } from "~/kit/functions/builders";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { createRouter } from "~/kit/functions/router";
import { cronJobs, ensureCronJobs, setCrons } from "~/kit/jobs/crons";
import { settle } from "~/kit/jobs/jobs";
import { forgetOld } from "~/kit/jobs/rows";
import { runDueJobs, startRunner } from "~/kit/jobs/runner";
import { deleteUnreferenced } from "~/kit/storage/garbage-collection";
import { uploadFile } from "../caller";
import { eventually } from "../eventually";

const caller = createSystemContext();
const mutate = actionCtx(caller).runMutation;
const act = actionCtx(caller).runAction;

const args = { author: z.string() };
const write = internalMutation({
  args,
  handler: (ctx, { author }) => ctx.db.message.create({ data: { author, body: "ran", format: "text" } }),
});
const throwing = internalMutation({
  args,
  handler: async (ctx, { author }) => {
    await ctx.db.message.create({ data: { author, body: "ran", format: "text" } });
    throw new Error("refused");
  },
});
const acting = internalAction({ args, handler: (ctx, given) => ctx.runMutation(write, given) });
const loop = internalAction({ args: {}, handler: (ctx): Promise<unknown> => ctx.runAction(loop) });
const parent = internalMutation({ args, handler: (ctx, given) => ctx.scheduler.runAfter(0, write, given) });
const listed = query({ handler: (ctx) => ctx.db.system.query("_scheduled_functions").take(100) });

const router = createRouter({ test: { write, throwing, acting, loop, parent, listed } });
const api = t.createCallerFactory(router)(caller);

const schedule = mutation({
  args: { ...args, delay: z.number().default(0) },
  handler: (ctx, { author, delay }) => ctx.scheduler.runAfter(delay, write, { author }),
});
const count = (author: string) => prisma.message.count({ where: { author } });
const jobs = () => prisma.scheduledFunction.findMany({ orderBy: { id: "asc" } });
const states = async () => (await jobs()).map(({ state }) => state);

beforeEach(async () => {
  await prisma.scheduledFunction.deleteMany();
});

afterEach(() => setCrons(cronJobs()));

describe("ctx.scheduler", () => {
  test("runAfter, due jobs run once", async () => {
    await mutate(schedule, { author: "once" });
    expect(await runDueJobs(1000)).toBe(1);
    expect(await runDueJobs(1000)).toBe(0);
    expect([await count("once"), await states()]).toEqual([1, ["success"]]);
  });

  test("runAfter, jobs of the future wait", async () => {
    await mutate(schedule, { author: "later", delay: 60_000 });
    expect([await runDueJobs(1000), await count("later"), await states()]).toEqual([0, 0, ["pending"]]);
  });

  test("runAfter, in a mutation that throws, schedules nothing", async () => {
    const throws = mutation({
      handler: async (ctx) => {
        await ctx.scheduler.runAfter(0, write, { author: "a" });
        throw new Error("refused");
      },
    });
    await expect(mutate(throws)).rejects.toThrow("refused");
    expect(await jobs()).toEqual([]);
  });

  test("runAfter, in a nested mutation that throws, schedules nothing", async () => {
    const inner = internalMutation({
      handler: async (ctx) => {
        await ctx.scheduler.runAfter(0, write, { author: "inner" });
        throw new Error("refused");
      },
    });
    const outer = mutation({
      handler: async (ctx) => {
        await ctx.scheduler.runAfter(0, write, { author: "outer" });
        await ctx.runMutation(inner).catch(() => null);
      },
    });
    await mutate(outer);
    await runDueJobs(1000);
    expect([await count("outer"), await count("inner")]).toEqual([1, 0]);
  });

  test("runAt, keeps dates in arguments", async () => {
    const dated = internalMutation({
      args: { at: z.date() },
      handler: (ctx, { at }) =>
        ctx.db.message.create({ data: { author: "dated", body: at.toISOString(), format: "text" } }),
    });
    createRouter({ dated: { dated } });
    await act(action({ handler: (ctx) => ctx.scheduler.runAt(Date.now() - 1, dated, { at: new Date(5) }) }));
    await runDueJobs(1000);
    expect(await prisma.message.findFirst({ where: { author: "dated" } })).toMatchObject({
      body: new Date(5).toISOString(),
    });
  });

  test.each([
    [Number.NaN, "delayMs NaN"],
    [Number.POSITIVE_INFINITY, "delayMs Infinity"],
    [-1, "delayMs -1"],
    [6 * 366 * 24 * 3600 * 1000, "more than 5 years away"],
  ])("runAfter %d, BAD_REQUEST", async (delay, message) => {
    const wrong = mutation({ handler: (ctx) => ctx.scheduler.runAfter(delay, write, { author: "a" }) });
    await expect(mutate(wrong)).rejects.toThrow(message);
  });

  test("runAfter, with wrong arguments or an unlisted function, throws", async () => {
    const wrong = mutation({
      handler: (ctx) => ctx.scheduler.runAfter(0, write, JSON.parse("{}") as { author: string }),
    });
    await expect(mutate(wrong)).rejects.toThrow(/^author: /);
    const unlisted = mutation({ handler: (ctx) => ctx.scheduler.runAfter(0, schedule, { author: "a" }) });
    await expect(mutate(unlisted)).rejects.toThrow("not listed in src/functions/index.ts");
  });

  test("runAfter, more than 1000 of one mutation, throws", async () => {
    const many = mutation({
      handler: async (ctx) => {
        for (let n = 0; n <= 1000; n++) await ctx.scheduler.runAfter(0, write, { author: "many" });
      },
    });
    await expect(mutate(many)).rejects.toThrow("more than 1000");
    expect(await jobs()).toEqual([]);
  });

  test("cancel, a pending job does not run; one that ended stays", async () => {
    const id = await mutate(schedule, { author: "canceled" });
    const cancel = mutation({ handler: (ctx) => ctx.scheduler.cancel(id) });
    await mutate(cancel);
    await runDueJobs(1000);
    expect([await count("canceled"), await states()]).toEqual([0, ["canceled"]]);
    await prisma.scheduledFunction.updateMany({ data: { state: "success" } });
    await mutate(cancel);
    expect(await states()).toEqual(["success"]);
  });

  test("cancel, children of a canceled parent are canceled", async () => {
    let release: () => void = () => undefined;
    const wait = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = internalAction({
      args,
      handler: async (ctx, given) => {
        await wait;
        await ctx.scheduler.runAfter(0, write, given);
      },
    });
    createRouter({ slow: { slow } });
    const id = await act(action({ handler: (ctx) => ctx.scheduler.runAfter(0, slow, { author: "child" }) }));
    const ran = runDueJobs(1000);
    await eventually(async () => expect(await states()).toEqual(["inProgress"]));
    await act(action({ handler: (ctx) => ctx.scheduler.cancel(id) }));
    release();
    await ran;
    await runDueJobs(1000);
    expect([await states(), await count("child")]).toEqual([["canceled", "canceled"], 0]);
  });
});

describe("job", () => {
  const silently = async (work: () => Promise<unknown>) => {
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    await work();
    log.mockRestore();
  };

  test("mutation that throws, failed with its error and without its writes", async () => {
    await mutate(mutation({ handler: (ctx) => ctx.scheduler.runAfter(0, throwing, { author: "throwing" }) }));
    await silently(() => runDueJobs(1000));
    expect([await count("throwing"), (await jobs())[0]]).toEqual([
      0,
      expect.objectContaining({ state: "failed", error: "Error: refused", completedTime: expect.any(Date) }),
    ]);
  });

  test("of a function that this process does not know, is left to one that does, and failed after a while", async () => {
    const strange = (scheduledTime: Date) =>
      prisma.scheduledFunction.create({ data: { name: "test.gone", args: { json: {} }, scheduledTime } });
    const { id } = await strange(new Date());
    await mutate(schedule, { author: "beside a stranger" });
    await runDueJobs(1000);
    expect([await states(), await count("beside a stranger")]).toEqual([["pending", "success"], 1]);
    await prisma.scheduledFunction.update({
      where: { id },
      data: { scheduledTime: new Date(Date.now() - 16 * 60_000) },
    });
    await runDueJobs(1000);
    expect((await jobs())[0]).toMatchObject({
      state: "failed",
      error: expect.stringContaining("src/functions/index.ts"),
    });
  });

  test.each([
    ["mutations", write],
    ["actions", acting],
  ])("%s over several runners, each once", async (author, fn) => {
    const many = mutation({
      handler: async (ctx) => {
        for (let n = 0; n < 60; n++) await ctx.scheduler.runAfter(0, fn, { author });
      },
    });
    await mutate(many);
    await Promise.all([runDueJobs(10_000), runDueJobs(10_000), runDueJobs(10_000)]);
    expect(await count(author)).toBe(60);
  });

  test("mutation whose process died after its commit, success and not run again", async () => {
    const id = await mutate(schedule, { author: "settled" });
    await runDueJobs(1000);
    await prisma.scheduledFunction.update({ where: { id }, data: { state: "pending", completedTime: null } });
    await runDueJobs(1000);
    expect([await count("settled"), await states()]).toEqual([1, ["success"]]);
  });

  test("mutation canceled while it runs, one of the two takes effect", async () => {
    const id = await mutate(schedule, { author: "raced" });
    await Promise.all([runDueJobs(1000), mutate(mutation({ handler: (ctx) => ctx.scheduler.cancel(id) }))]);
    const [state] = await states();
    expect([
      ["success", 1],
      ["canceled", 0],
    ]).toContainEqual([state, await count("raced")]);
  });

  test("action whose process died, failed and not run again", async () => {
    await act(action({ handler: (ctx) => ctx.scheduler.runAfter(0, acting, { author: "lost" }) }));
    await prisma.$executeRaw`UPDATE "_scheduled_functions" SET "state" = 'inProgress', "leaseUntil" = now() - interval '1 s'`;
    await settle();
    await runDueJobs(1000);
    expect([await count("lost"), (await jobs())[0]?.error]).toEqual([0, "The process that ran it died"]);
  });

  test("action that another process is running, left alone", async () => {
    await act(action({ handler: (ctx) => ctx.scheduler.runAfter(0, acting, { author: "elsewhere" }) }));
    await prisma.$executeRaw`UPDATE "_scheduled_functions" SET "state" = 'inProgress', "leaseUntil" = now() + interval '9 s'`;
    await runDueJobs(1000);
    expect([await count("elsewhere"), await states()]).toEqual([0, ["inProgress"]]);
  });

  test("files in a pending job's arguments, not collected", async () => {
    const storageId = await uploadFile("kept by a job");
    await mutate(schedule, { author: storageId, delay: 60_000 });
    await prisma.$transaction([
      prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
      prisma.$executeRaw`UPDATE "_storage" SET "_creationTime" = now() - interval '2 days'`,
    ]);
    expect(await deleteUnreferenced()).toEqual({ files: 0, bytes: 0 });
    await prisma.scheduledFunction.updateMany({ data: { state: "success" } });
    expect(await deleteUnreferenced()).toMatchObject({ files: 1 });
  });

  test("ended a week ago, forgotten", async () => {
    await mutate(schedule, { author: "old" });
    await prisma.scheduledFunction.updateMany({
      data: { state: "success", completedTime: new Date(Date.now() - 8 * 86_400_000) },
    });
    await forgetOld();
    expect(await jobs()).toEqual([]);
  });
});

describe("startRunner", () => {
  test("runs jobs as they come due, woken by what is scheduled elsewhere", async () => {
    const stop = startRunner();
    await mutate(schedule, { author: "woken", delay: 50 });
    // The next poll would come too late.
    await vi.waitFor(async () => expect(await count("woken")).toBe(1), { timeout: 4000, interval: 10 });
    await stop();
    await mutate(schedule, { author: "stopped" });
    expect(await count("stopped")).toBe(0);
  });

  test("a job that comes due while another runs, in time", async () => {
    let release: () => void = () => undefined;
    const wait = new Promise<void>((resolve) => {
      release = resolve;
    });
    const blocked = internalMutation({
      handler: async (ctx) => {
        await ctx.db.message.count();
        await wait;
      },
    });
    createRouter({ blocked: { blocked } });
    const stop = startRunner();
    await mutate(mutation({ handler: (ctx) => ctx.scheduler.runAfter(0, blocked) }));
    await mutate(schedule, { author: "beside", delay: 100 });
    await vi.waitFor(async () => expect(await count("beside")).toBe(1), { timeout: 4000, interval: 10 });
    release();
    await stop();
  });

  test("jobs that other processes are running, passed over for those behind them", async () => {
    const ids = await Promise.all(Array.from({ length: 9 }, (_, n) => mutate(schedule, { author: `behind ${n}` })));
    const last = ids.at(-1);
    await prisma.scheduledFunction.update({ where: { id: last }, data: { scheduledTime: new Date() } });
    await prisma.$transaction(async (elsewhere) => {
      for (const id of ids.slice(0, -1))
        await elsewhere.$queryRaw`SELECT pg_advisory_xact_lock(hashtextextended(${id}, 0))::text`;
      const stop = startRunner();
      await vi.waitFor(async () => expect(await count("behind 8")).toBe(1), { timeout: 4000 });
      await stop();
    });
  });
});

describe("crons", () => {
  test("each time is one job, however many processes ensure it", async () => {
    const crons = cronJobs();
    crons.interval("often", { hours: 1 }, write, { author: "cron" });
    crons.cron("weekly", "0 4 * * 1", write, { author: "cron" });
    setCrons(crons);
    await Promise.all([ensureCronJobs(), ensureCronJobs()]);
    const rows = await jobs();
    expect(rows.map(({ cron }) => cron).sort()).toEqual(["often", "weekly"]);
    const weekly = rows.find(({ cron }) => cron === "weekly")?.scheduledTime;
    expect([weekly?.getUTCDay(), weekly?.getUTCHours(), weekly?.getUTCMinutes()]).toEqual([1, 4, 0]);
    await prisma.scheduledFunction.updateMany({ data: { scheduledTime: new Date() }, where: { cron: "often" } });
    await runDueJobs(1000);
    expect(await count("cron")).toBe(1);
  });

  test.each([
    [
      "a name twice",
      (crons: ReturnType<typeof cronJobs>) => crons.interval("x", { hours: 2 }, write, { author: "a" }),
      "There is already a cron job named",
    ],
    [
      "no interval",
      (crons: ReturnType<typeof cronJobs>) => crons.interval("y", { seconds: 0 }, write, { author: "a" }),
      "a second or more",
    ],
    [
      "a wrong expression",
      (crons: ReturnType<typeof cronJobs>) => crons.cron("y", "every day", write, { author: "a" }),
      /./,
    ],
    [
      "wrong arguments",
      (crons: ReturnType<typeof cronJobs>) =>
        crons.interval("y", { hours: 1 }, write, JSON.parse("{}") as { author: string }),
      /^author/,
    ],
  ])("%s, throws", (_, add, message) => {
    const crons = cronJobs();
    crons.interval("x", { hours: 1 }, write, { author: "a" });
    expect(() => add(crons)).toThrow(message);
  });
});

describe("internal functions", () => {
  test("from outside, NOT_FOUND as what does not exist", async () => {
    const call = (name: string) =>
      (api.test as unknown as Record<string, (args: unknown) => Promise<unknown>>)[name]?.({});
    await expect(call("write")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(call("nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("that call themselves without end, throw", async () => {
    await expect(act(loop)).rejects.toThrow("32 deep");
  });
});

describe("db.system", () => {
  test("query _scheduled_functions, the seeds' shape", async () => {
    const id = await mutate(schedule, { author: "shown" });
    await runDueJobs(1000);
    expect(await api.test.listed()).toEqual([
      {
        _id: id,
        _creationTime: expect.any(Number),
        name: "test.write",
        args: { author: "shown" },
        scheduledTime: expect.any(Number),
        completedTime: expect.any(Number),
        state: "success",
      },
    ]);
  });
});
