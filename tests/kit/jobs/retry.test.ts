import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { pools, prisma } from "~/kit/database/database";
import { action, internalAction, internalMutation, mutation, query, t } from "~/kit/functions/builders";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { createRouter } from "~/kit/functions/router";
import { findDue, giveUpRunning, runJob, settle } from "~/kit/jobs/jobs";
import { jobResult } from "~/kit/jobs/rows";
import { runDueJobs } from "~/kit/jobs/runner";
import type { JobOptions } from "~/kit/jobs/scheduler";
import { eventually } from "../eventually";

const caller = createSystemContext();
const mutate = actionCtx(caller).runMutation;
const act = actionCtx(caller).runAction;

/** How often each name was tried, and how often it throws before it succeeds. */
let tries: Record<string, number> = {};
let failing: Record<string, number> = {};
/** Functions wait for this promise. */
let gate: Promise<void> = Promise.resolve();

function attempt(name: string): number {
  const tried = (tries[name] ?? 0) + 1;
  tries[name] = tried;
  if (tried <= (failing[name] ?? 0)) throw new Error(`No. ${tried}`);
  return tried;
}

const args = { name: z.string() };
const row = (author: string, body: string) => ({ data: { author, body, format: "text" as const } });
const write = internalMutation({
  args,
  handler: async (ctx, { name }) => {
    await ctx.db.message.create(row(name, "ran"));
    return { tried: attempt(name), at: new Date(5) };
  },
});
const work = internalAction({
  args,
  handler: async (_, { name }) => {
    await gate;
    return { tried: attempt(name), at: new Date(5) };
  },
});
const returns = internalAction({
  args: { what: z.enum(["nul", "huge"]) },
  handler: async (_, { what }) => (what === "nul" ? "a\0b" : "x".repeat(2_000_000)),
});
const completed = internalMutation({
  args: { jobId: z.uuid(), args: z.object(args), result: jobResult(z.object({ tried: z.number(), at: z.date() })) },
  handler: async (ctx, completion) => {
    completions.push(completion);
    await ctx.db.message.create(row(`completed ${completion.args.name}`, completion.result.state));
  },
});
const told = internalMutation({ args: { result: jobResult() }, handler: (_, { result }) => void results.push(result) });
let completions: unknown[] = [];
let results: unknown[] = [];

const job = query({
  args: { id: z.uuid() },
  handler: (ctx, { id }) => ctx.db.system.get("_scheduled_functions", id),
});
const router = createRouter({ retry: { write, work, returns, completed, told, job } });
const api = t.createCallerFactory(router)(caller);

type Options = JobOptions<{ name: string }, { tried: number; at: Date }>;

const schedule = (fn: typeof work | typeof write, name: string, options?: Options) =>
  act(action({ handler: (ctx) => ctx.scheduler.runAfter(0, fn, { name }, options) }));
const cancel = (id: string) => mutate(mutation({ handler: (ctx) => ctx.scheduler.cancel(id) }));
const jobs = (name = "retry.work") => prisma.scheduledFunction.findMany({ where: { name }, orderBy: { id: "asc" } });
const count = (author: string) => prisma.message.count({ where: { author } });
const retry = { maxAttempts: 3, initialBackoffMs: 0 };

/** Runs all jobs that are due, and the jobs that they schedule. */
async function runAll(): Promise<void> {
  while ((await runDueJobs(5_000)) > 0);
}

beforeEach(async () => {
  await prisma.scheduledFunction.deleteMany();
  await prisma.jobKey.deleteMany();
  [tries, failing, gate, completions, results] = [{}, {}, Promise.resolve(), [], []];
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});

afterEach(() => vi.restoreAllMocks());

describe("retry", () => {
  test.each([
    ["an action", work],
    ["a mutation", write],
  ])("%s that throws is tried again until it succeeds, and has then succeeded once", async (name, fn) => {
    failing[name] = 2;
    const id = await schedule(fn, name, { retry, onComplete: completed });
    await runAll();
    expect(await api.retry.job({ id })).toMatchObject({ state: "success", failedAttempts: 2 });
    expect(completions).toEqual([
      { jobId: id, args: { name }, result: { state: "success", value: { tried: 3, at: new Date(5) } } },
    ]);
    // What a mutation's failed attempts wrote is undone.
    expect(await count(name)).toBe(fn === write ? 1 : 0);
  });

  test("ends after its attempts, with the last error", async () => {
    failing.never = 9;
    const id = await schedule(work, "never", { retry, onComplete: completed });
    await runAll();
    expect(await api.retry.job({ id })).toMatchObject({ state: "failed", error: "Error: No. 3" });
    expect(tries.never).toBe(3);
    expect(completions).toEqual([
      { jobId: id, args: { name: "never" }, result: { state: "failed", error: "Error: No. 3" } },
    ]);
  });

  test("without it, an action that throws has failed", async () => {
    failing.once = 1;
    const id = await schedule(work, "once");
    await runAll();
    expect(await api.retry.job({ id })).toMatchObject({ state: "failed", error: "Error: No. 1" });
    expect(tries.once).toBe(1);
  });

  test("waits longer each time, by chance up to a quarter less or more", async () => {
    failing.slow = 9;
    const id = await schedule(work, "slow", { retry: { maxAttempts: 9, initialBackoffMs: 10_000, base: 3 } });
    for (const pause of [10_000, 30_000, 90_000]) {
      await runAll();
      const { nextAttemptTime = 0, state } = (await api.retry.job({ id })) ?? {};
      expect(state).toBe("pending");
      expect(nextAttemptTime - Date.now()).toBeGreaterThan(pause * 0.75 - 5_000);
      expect(nextAttemptTime - Date.now()).toBeLessThan(pause * 1.25);
      await prisma.scheduledFunction.updateMany({ data: { retryAt: new Date() } });
    }
  });

  test.each([
    [{ maxAttempts: 0 }, "retry.maxAttempts"],
    [{ maxAttempts: 1000 }, "retry.maxAttempts"],
    [{ maxAttempts: 3, base: 0.5 }, "retry.base"],
    [{ maxAttempts: 3, initialBackoffMs: -1 }, "retry.initialBackoffMs"],
  ])("%j is refused", async (retry, message) => {
    await expect(schedule(work, "wrong", { retry })).rejects.toThrow(message);
  });
});

describe("an action whose process died", () => {
  const die = () => prisma.$executeRaw`
    UPDATE "_scheduled_functions" SET "state" = 'inProgress', "takenBy" = gen_random_uuid(), "leaseUntil" = now() - interval '1 s'
    WHERE "state" = 'pending' AND "name" = 'retry.work'`;

  test("is tried again with `retry`, and its end is told once", async () => {
    const id = await schedule(work, "died", { retry, onComplete: completed });
    await die();
    await Promise.all([settle(), settle(), settle()]);
    expect(await api.retry.job({ id })).toMatchObject({
      state: "pending",
      failedAttempts: 1,
      error: "The process that ran it died",
    });
    await runAll();
    expect(completions).toMatchObject([{ jobId: id, result: { state: "success", value: { tried: 1 } } }]);
  });

  test("has failed without `retry`, or after its last attempt, and its end is told once", async () => {
    await schedule(work, "a", { onComplete: completed });
    await schedule(work, "b", { retry: { maxAttempts: 1 }, onComplete: completed });
    await die();
    await Promise.all([settle(), settle(), settle()]);
    await runAll();
    expect((await jobs()).map(({ state }) => state)).toEqual(["failed", "failed"]);
    expect(completions).toHaveLength(2);
  });

  test("and that ends after all, has no effect on the attempt that came after it", async () => {
    let open: () => void = () => undefined;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const id = await schedule(work, "late", { retry, onComplete: completed });
    const first = runDueJobs(5_000);
    await eventually(async () => expect((await jobs())[0]?.state).toBe("inProgress"));
    await prisma.$executeRaw`UPDATE "_scheduled_functions" SET "leaseUntil" = now() - interval '1 s'`;
    await settle();
    const [again] = await findDue("action", new Date(), { fresh: 1, retried: 1 });
    if (!again) throw new Error("It is not tried again");
    const second = runJob(again);
    await eventually(async () => expect((await jobs())[0]?.state).toBe("inProgress"));
    open();
    await Promise.all([first, second]);
    await runAll();
    expect([tries.late, completions.length, (await api.retry.job({ id }))?.state]).toEqual([2, 1, "success"]);
  });

  test("stops in order: it is tried again elsewhere", async () => {
    gate = new Promise(() => undefined);
    const id = await schedule(work, "stopped", { retry });
    void runDueJobs(500);
    await eventually(async () => expect((await jobs())[0]?.state).toBe("inProgress"));
    expect(await giveUpRunning()).toEqual([`job ${id} (retry.work)`]);
    expect(await api.retry.job({ id })).toMatchObject({ state: "pending", failedAttempts: 1 });
  });
});

describe("onComplete", () => {
  test("of a canceled job, once, whether it waited, waited for its next attempt, or ran", async () => {
    let open: () => void = () => undefined;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    failing.again = 1;
    const waiting = await act(
      action({
        handler: (ctx) => ctx.scheduler.runAfter(60_000, work, { name: "waiting" }, { onComplete: completed }),
      }),
    );
    const again = await schedule(write, "again", { retry: { maxAttempts: 2 }, onComplete: completed });
    await runDueJobs(1000);
    const running = await schedule(work, "running", { retry, onComplete: completed });
    const runs = runDueJobs(5_000);
    await eventually(async () => expect((await api.retry.job({ id: running }))?.state).toBe("inProgress"));
    for (const id of [waiting, again, running]) await Promise.all([cancel(id), cancel(id)]);
    open();
    await runs;
    await runAll();
    const canceled = (jobId: string, name: string) => ({ jobId, args: { name }, result: { state: "canceled" } });
    expect(completions).toHaveLength(3);
    expect(completions).toEqual(
      expect.arrayContaining([canceled(waiting, "waiting"), canceled(again, "again"), canceled(running, "running")]),
    );
    expect((await api.retry.job({ id: running }))?.state).toBe("canceled");
  });

  test("of a mutation that another process ran while this one's attempt failed, is told of the success alone", async () => {
    failing.raced = 1;
    const id = await schedule(write, "raced", { onComplete: completed });
    const [due] = await findDue("mutation", new Date(), { fresh: 1, retried: 1 });
    if (!due) throw new Error("It is not due");
    // The first attempt has thrown, and is recorded only after the second one committed.
    const send = pools.functions.query.bind(pools.functions);
    let second: Promise<boolean> | undefined;
    vi.spyOn(pools.functions, "query").mockImplementation((async (config: { text: string }) => {
      if (!second && config.text.includes('"failures" = "failures" + 1')) {
        second = runJob(due);
        await second;
      }
      return send(config);
    }) as never);
    await runJob(due);
    expect(await second).toBe(true);
    await runAll();
    await settle();
    expect([await count("raced"), (await api.retry.job({ id }))?.state]).toEqual([1, "success"]);
    expect(completions).toMatchObject([{ result: { state: "success" } }]);
  });

  test("of a mutation comes with its commit or not at all", async () => {
    failing.undone = 1;
    await schedule(write, "undone", { onComplete: completed });
    await runAll();
    expect(completions).toMatchObject([{ result: { state: "failed", error: "Error: No. 1" } }]);
    expect([await count("undone"), await count("completed undone")]).toEqual([0, 1]);
  });

  test.each([
    ["nul", /result: the text has a NUL/],
    ["huge", /2000011 bytes/],
  ] as const)("of a result that cannot be told (%s) is told of a failure", async (what, error) => {
    await act(action({ handler: (ctx) => ctx.scheduler.runAfter(0, returns, { what }, { onComplete: told }) }));
    await runAll();
    expect(results).toEqual([{ state: "failed", error: expect.stringMatching(error) }]);
  });

  test("that no listed file exports is refused", async () => {
    const unlisted = internalMutation({ handler: () => undefined });
    await expect(schedule(work, "a", { onComplete: unlisted })).rejects.toThrow("onComplete function whose file");
  });
});

describe("key", () => {
  const key = "one";

  test("of a job that waits, is that job; another key, function or time after its begin is another", async () => {
    const later = (name: string, key: string) =>
      mutate(mutation({ handler: (ctx) => ctx.scheduler.runAfter(60_000, write, { name }, { key }) }));
    const first = await later("first", key);
    expect(await later("second", key)).toBe(first);
    expect(await later("other", "other")).not.toBe(first);
    expect(await schedule(work, "action", { key })).not.toBe(first);
    expect((await jobs("retry.write")).map(({ args }) => (args as { json: unknown }).json)).toEqual([
      { name: "first" },
      { name: "other" },
    ]);
    await prisma.scheduledFunction.updateMany({ data: { scheduledTime: new Date() } });
    await runAll();
    expect(await later("third", key)).not.toBe(first);
  });

  test("is free once the job was canceled, or its scheduling was undone", async () => {
    const undone = mutation({
      handler: async (ctx) => {
        await ctx.scheduler.runAfter(0, write, { name: "undone by a throw" }, { key });
        throw new Error("refused");
      },
    });
    await expect(mutate(undone)).rejects.toThrow("refused");
    const first = await schedule(write, "canceled", { key });
    await cancel(first);
    expect(await schedule(write, "instead", { key })).not.toBe(first);
    await runAll();
    expect([await count("undone by a throw"), await count("canceled"), await count("instead")]).toEqual([0, 0, 1]);
  });

  test("of an action is free while it runs, and held while it waits for its next attempt", async () => {
    failing.again = 1;
    const first = await schedule(work, "again", { key, retry: { maxAttempts: 2 } });
    await runDueJobs(1000);
    expect(await schedule(work, "second", { key })).toBe(first);
    let open: () => void = () => undefined;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    await prisma.scheduledFunction.updateMany({ data: { retryAt: new Date() } });
    const runs = runDueJobs(1000);
    await eventually(async () => expect((await api.retry.job({ id: first }))?.state).toBe("inProgress"));
    expect(await schedule(work, "third", { key })).not.toBe(first);
    open();
    await runs;
  });

  test("scheduled by many mutations at once is one job", async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, (_, n) => schedule(write, `${n}`, { key })));
    const inMutations = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        mutate(
          mutation({
            handler: async (ctx) => {
              await ctx.db.message.create(row("beside", `${n}`));
              return ctx.scheduler.runAfter(0, write, { name: `${n}` }, { key });
            },
          }),
        ),
      ),
    );
    expect(new Set([...ids, ...inMutations]).size).toBe(1);
  });

  test.each([
    ["of keys of their own", (n: number) => `own ${n}`],
    ["of one key whose job waits", () => key],
  ])("mutations that schedule at once by keys %s do not conflict", async (_, keyOf) => {
    if (keyOf(0) === keyOf(1)) await schedule(write, "waits", { key });
    let begun = 0;
    const all = 8;
    let open: () => void = () => undefined;
    const together = new Promise<void>((resolve) => {
      open = resolve;
    });
    const by = (n: number) =>
      mutation({
        handler: async (ctx) => {
          await ctx.db.message.create(row("together", `${n}`));
          await ctx.scheduler.runAfter(0, write, { name: `${n}` }, { key: keyOf(n) });
          if (++begun === all) open();
          await together;
        },
      });
    await Promise.all(Array.from({ length: all }, (_, n) => mutate(by(n))));
    expect(begun).toBe(all);
  });

  test.each([
    ["a mutation", "write"],
    ["an action", "work"],
  ] as const)("of %s that is about to begin: it sees what the mutation wrote that found it", async (_, which) => {
    const seen: number[] = [];
    const countAll = query({ handler: (ctx) => ctx.db.message.count({ where: { author: `seen by ${which}` } }) });
    const see = {
      write: internalMutation({ handler: async (ctx) => void seen.push(await ctx.runQuery(countAll)) }),
      work: internalAction({ handler: async (ctx) => void seen.push(await ctx.runQuery(countAll)) }),
    };
    createRouter({ see });
    const fn = see[which];
    await act(action({ handler: (ctx) => ctx.scheduler.runAfter(0, fn, {}, { key }) }));
    let runs: Promise<number> | undefined;
    await mutate(
      mutation({
        handler: async (ctx) => {
          await ctx.db.message.create(row(`seen by ${which}`, "new"));
          await ctx.scheduler.runAfter(0, fn, {}, { key });
          runs ??= runDueJobs(5_000);
          await eventually(async () => {
            const [waiting] = await prisma.$queryRaw<{ n: number }[]>`
              SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%_job_keys%'`;
            expect(waiting?.n).toBeGreaterThan(0);
          });
        },
      }),
    );
    await runs;
    expect(seen.at(-1)).toBe(1);
    expect(await prisma.scheduledFunction.count({ where: { name: `see.${which}`, state: "success" } })).toBe(1);
  });
});

describe("db.system.get", () => {
  test("of a job: the document, or null, or BAD_REQUEST that quotes the id", async () => {
    const id = await schedule(work, "shown", { retry });
    expect(await api.retry.job({ id })).toEqual({
      _id: id,
      _creationTime: expect.any(Number),
      name: "retry.work",
      args: { name: "shown" },
      scheduledTime: expect.any(Number),
      state: "pending",
    });
    expect(await api.retry.job({ id: "01990000-0000-7000-8000-000000000000" })).toBeNull();
    const wrong = query({ handler: (ctx) => ctx.db.system.get("_scheduled_functions", "nonsense") });
    await expect(actionCtx(caller).runQuery(wrong)).rejects.toThrow('Invalid job id "nonsense"');
  });

  test("makes a query live: it reads the jobs", async () => {
    const reads: string[] = [];
    const context = { ...caller, noteReads: (tables: Iterable<string>) => void reads.push(...tables) };
    await actionCtx(context).runQuery(job, { id: "01990000-0000-7000-8000-000000000000" });
    expect(reads).toEqual(["_scheduled_functions"]);
  });
});
