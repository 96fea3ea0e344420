import { setTimeout as pause } from "node:timers/promises";
import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { action, internalAction, internalMutation, internalQuery, mutation, query } from "~/kit/functions/builders";
import { jobResult } from "~/kit/jobs/rows";
import { storageId } from "~/kit/storage/file";
import { collectGarbage as sweepStorage } from "~/kit/storage/garbage-collection";

/** Functions that the tests need in addition to the app's own. They are registered as `crash`. */

export const sweep = action({ handler: () => sweepStorage() });

export const deleteAndThrow = mutation({
  args: { storageId: storageId() },
  handler: async (ctx, { storageId }) => {
    await ctx.storage.delete(storageId);
    throw new TRPCError({ code: "BAD_REQUEST", message: "refused" });
  },
});

const numbered = { n: z.int() };
const row = (author: string, n: number) => ({ author, body: `${n}`, format: "text" as const });

/** Leaves one row for each time it takes effect. It pauses before and after, so that it can be killed there. */
export const countMutation = internalMutation({
  args: numbered,
  handler: async (ctx, { n }) => {
    await ctx.db.message.count({ where: { author: "mutation", body: `${n}` } });
    await pause(n % 10);
    await ctx.db.message.create({ data: row("mutation", n) });
    await pause(n % 7);
  },
});

const countStart = internalMutation({
  args: numbered,
  handler: (ctx, { n }) => ctx.db.message.create({ data: row("action", n) }),
});

/** Leaves one row for each time it starts. */
export const countAction = internalAction({
  args: numbered,
  handler: async (ctx, args) => {
    await ctx.runMutation(countStart, args);
    await pause(args.n % 20);
  },
});

/** Schedules a mutation and an action for each number, all or none. */
export const schedule = mutation({
  args: { numbers: z.array(z.int()) },
  handler: async (ctx, { numbers }) => {
    for (const n of numbers) {
      await ctx.scheduler.runAfter(n % 100, countMutation, { n });
      if (n % 3 === 0) await ctx.scheduler.runAfter(n % 100, countAction, { n });
    }
  },
});

const retried = (n: number) => `retried ${n}`;

const noteAttempt = internalMutation({
  args: numbered,
  handler: (ctx, { n }) => ctx.db.message.create({ data: row("retried action", n) }),
});

const countAttempts = internalQuery({
  args: numbered,
  handler: (ctx, { n }) => ctx.db.message.count({ where: { author: "retried action", body: `${n}` } }),
});

/** Leaves one row for each time it starts, and throws the first times. */
export const retriedAction = internalAction({
  args: { n: z.int(), throws: z.int() },
  handler: async (ctx, { n, throws }) => {
    await ctx.runMutation(noteAttempt, { n });
    const attempt = await ctx.runQuery(countAttempts, { n });
    await pause(n % 10);
    if (attempt <= throws) throw new Error(`Attempt ${attempt}`);
    return { n };
  },
});

/** Leaves one row for each time it takes effect, and throws now and then after that. */
export const retriedMutation = internalMutation({
  args: { n: z.int(), throws: z.int() },
  handler: async (ctx, { n, throws }) => {
    await ctx.db.message.create({ data: row(retried(n), n) });
    await pause(n % 7);
    if (throws > 0 && Math.random() < 0.4) throw new Error("By chance");
    return { n };
  },
});

/** Leaves one row for each time that it is called for a job that ended. */
export const completed = internalMutation({
  args: { jobId: z.uuid(), args: z.object(numbered), result: jobResult(z.object(numbered)) },
  handler: async (ctx, { jobId, args, result }) => {
    const isRight = result.state !== "success" || result.value.n === args.n;
    await ctx.db.message.create({ data: { author: jobId, body: isRight ? result.state : "wrong", format: "text" } });
  },
});

/** Schedules an action and a mutation with retries for each number. Some of the actions never succeed. */
export const scheduleRetried = mutation({
  args: { numbers: z.array(z.int()) },
  handler: async (ctx, { numbers }) => {
    for (const n of numbers) {
      const isHopeless = n % 20 === 7;
      const maxAttempts = isHopeless ? 2 : 100;
      const options = { retry: { maxAttempts, initialBackoffMs: 20, base: 1 }, onComplete: completed };
      const throws = isHopeless ? 1_000 : n % 3;
      await ctx.scheduler.runAfter(n % 100, retriedAction, { n, throws }, options);
      await ctx.scheduler.runAfter(
        n % 100,
        retriedMutation,
        { n, throws: isHopeless ? 0 : throws },
        { ...options, key: `${n}` },
      );
    }
  },
});

/** Leaves one row for each file that it was called for. */
export const countStored = internalMutation({
  args: { storageId: storageId() },
  handler: (ctx, { storageId }) =>
    ctx.db.message.create({ data: { author: "stored", body: storageId, format: "text" } }),
});

export const noteStored = internalMutation({
  args: { storageId: storageId() },
  handler: (ctx, { storageId }) => ctx.db.message.create({ data: { author: "seen", body: storageId, format: "text" } }),
});

/** Leaves one row for each time it starts. */
export const countStoredAction = internalAction({
  args: { storageId: storageId() },
  handler: (ctx, { storageId }) => ctx.runMutation(noteStored, { storageId }),
});

/** Sets a writer's number, unless it is that or higher already. */
export const setNumber = mutation({
  args: { writer: z.string(), n: z.int() },
  handler: async (ctx, { writer, n }) => {
    const found = await ctx.db.message.findFirst({ where: { author: writer } });
    if (!found) await ctx.db.message.create({ data: { author: writer, body: `${n}`, format: "text" } });
    else if (Number(found.body) < n) await ctx.db.message.update({ where: { id: found.id }, data: { body: `${n}` } });
  },
});

/** The number of each writer. */
export const numbers = query({
  handler: async (ctx) => {
    const rows = await ctx.db.message.findMany({ where: { author: { startsWith: "writer " } } });
    return Object.fromEntries(rows.map(({ author, body }) => [author, Number(body)]));
  },
});

/** Leaves one row after so many milliseconds. */
export const slowAction = internalAction({
  args: { n: z.int(), milliseconds: z.int() },
  handler: async (ctx, { n, milliseconds }) => {
    await pause(milliseconds);
    await ctx.runMutation(countStart, { n });
  },
});

/** Leaves one row with the time at which it began. */
export const good = internalMutation({
  args: numbered,
  handler: async (ctx, { n }) => {
    const began = Date.now();
    await ctx.db.message.create({ data: { author: `good ${n}`, body: `${began}`, format: "text" } });
  },
});

const misbehave: Record<string, () => unknown> = {
  throw: () => Promise.reject(Object.assign(new TypeError("fetch failed"), { code: "ECONNREFUSED" })),
  hang: () => new Promise(() => undefined),
  overrun: () => pause(5_000),
  print: () => {
    for (let line = 0; line < 1_000; line++) console.log(`\0\x1b[31m\ud800${"garbage ".repeat(line)}`);
    throw Object.create(null);
  },
};
export const misdeeds = Object.keys(misbehave);
const bad = {
  args: { how: z.string() },
  handler: async (_: unknown, { how }: { how: string }) => void (await misbehave[how]?.()),
};

export const badAction = internalAction(bad);
export const badMutation = internalMutation({
  ...bad,
  handler: async (ctx, given) => {
    await ctx.db.message.create({ data: row("bad", 0) });
    await bad.handler(ctx, given);
  },
});
