import { TRPCError } from "@trpc/server";
import { v7 } from "uuid";
import { z } from "zod";
import { Prisma } from "~/generated/prisma/client";
import type { Client } from "../database/database";
import type { Id } from "../database/ids";
import type { Statements } from "../database/transaction";
import { parseArgs, refuseUnstorable } from "../functions/args";
import type { RequestContext } from "../functions/request-context";
import { definition, nameOf, type Schedulable, type ServerFunction } from "../functions/server-function";
import { transformer } from "../functions/transformer";
import { quote } from "../log/text";
import { runAfterResponse } from "./after-response";
import { type Completion, endJobs } from "./rows";

/** How often an action, or a mutation that throws, is tried. */
export interface Retry {
  /** Attempts in total, from 1 to 100. */
  maxAttempts: number;
  /** Approximate milliseconds before the second attempt. Default: 1,000. */
  initialBackoffMs?: number;
  /** By how much the pause grows with each attempt, from 1 to 10. Default: 2. No pause is longer than a day. */
  base?: number;
}

/** Options of a scheduled job. */
export interface JobOptions<Args, Value> {
  /**
   * Runs the function again when it throws, or when its process dies. An action then runs at least once, and perhaps again
   * after it had done its work, so it must be able to run twice. A mutation takes effect once at most: each attempt is undone
   * when it throws. Default: an action runs at most once, and a function that throws has failed.
   */
  retry?: Retry;
  /**
   * A mutation that is scheduled exactly once when the job ends, in the transaction of that end: when it succeeded, failed for
   * good, or was canceled. See `Completion` for its arguments, and `jobResult` for their zod type.
   */
  onComplete?:
    | ServerFunction<"mutation", Completion<Args, Value>, unknown>
    | ServerFunction<"mutation", Record<string, never>, unknown>;
  /**
   * Names a job among those of its function. While a job with this key waits, nothing new is scheduled: the id of the
   * waiting job is returned, and its time and arguments do not change. A job that has begun does not count, because it may
   * not see what the caller has just written.
   */
  key?: string;
}

/** Arguments and options. The arguments can be left out when all of them are optional. */
type Rest<Args, Value, Options = JobOptions<NoInfer<Args>, NoInfer<Value>>> =
  Record<never, never> extends Args ? [args?: Args, options?: Options] : [args: Args, options?: Options];

/** `ctx.scheduler`: runs mutations and actions later. In a mutation nothing is scheduled unless it commits. */
export interface Scheduler {
  /**
   * Runs the function in `delayMs` milliseconds and returns the job's id:
   *
   *     await ctx.scheduler.runAfter(0, sendMail, { to }, { retry: { maxAttempts: 5 }, onComplete: mailSent });
   */
  runAfter<Args, Value>(
    delayMs: number,
    fn: Schedulable<Args, Value>,
    ...rest: Rest<Args, Value>
  ): Promise<Id<"_scheduled_functions">>;
  /** Runs the function at a time: a `Date`, or milliseconds since the epoch. */
  runAt<Args, Value>(
    time: number | Date,
    fn: Schedulable<Args, Value>,
    ...rest: Rest<Args, Value>
  ): Promise<Id<"_scheduled_functions">>;
  /**
   * Keeps a job from starting, and from being tried again. An action in progress goes on, but schedules nothing more, and its
   * result is ignored. Does nothing to a job that ended.
   */
  cancel(jobId: Id<"_scheduled_functions">): Promise<void>;
}

const fiveYears = 5 * 366 * 24 * 60 * 60 * 1000;
const maxPerTransaction = 1000;

const retrySchema = z.object({
  maxAttempts: z.int().min(1).max(100),
  initialBackoffMs: z.number().min(0).max(86_400_000).default(1_000),
  base: z.number().min(1).max(10).default(2),
});
const optionsSchema = z.object({
  retry: retrySchema.optional(),
  key: z.string().min(1).max(200).optional(),
});

export function scheduler(context: RequestContext, { run, afterCommit }: Statements): Scheduler {
  let scheduled = 0;

  const schedule = async <Args, Value>(
    time: number,
    fn: Schedulable<Args, Value>,
    [args, options = {}]: [Args?, JobOptions<Args, Value>?],
  ): Promise<Id<"_scheduled_functions">> => {
    const name = nameOf(fn);
    if (!name)
      throw new Error(
        "Cannot schedule a function whose file is not listed in src/functions/index.ts. Add the file there.",
      );
    parseArgs(fn[definition].args, args);
    const { retry, key = null } = parseArgs(optionsSchema, options);
    refuseUnstorable({ key });
    const onComplete = options.onComplete ? nameOf(options.onComplete) : null;
    if (options.onComplete && !onComplete)
      throw new Error(
        "Cannot use an onComplete function whose file is not listed in src/functions/index.ts. Add the file there.",
      );
    scheduled++;
    if (scheduled > maxPerTransaction)
      throw new Error(`Cannot schedule more than ${maxPerTransaction} functions at once`);
    const parentId = context.jobId ?? null;
    for (;;) {
      const id = v7();
      // An insert reads nothing, so that mutations which schedule by keys do not conflict unless the key is the same and new.
      const inserted = await run(
        (client) => client.$executeRaw`
          WITH parent AS (
            SELECT EXISTS (
              SELECT FROM "_scheduled_functions" WHERE "_id" = ${parentId}::uuid AND "state" = 'canceled'
            ) AS canceled
          ), held AS (
            INSERT INTO "_job_keys" ("name", "key", "jobId")
            SELECT ${name}, ${key}, ${id}::uuid FROM parent WHERE ${key}::text IS NOT NULL AND NOT canceled
            ON CONFLICT DO NOTHING RETURNING "jobId"
          )
          INSERT INTO "_scheduled_functions"
            ("_id", "name", "args", "scheduledTime", "parentId", "retry", "onComplete", "key", "state", "completedTime")
          SELECT ${id}::uuid, ${name}, ${transformer.stringify(args ?? {})}::jsonb, ${new Date(time)}, ${parentId}::uuid,
            ${retry ? JSON.stringify(retry) : null}::jsonb, ${onComplete}, ${key},
            CASE WHEN canceled THEN 'canceled' ELSE 'pending' END::"ScheduledState", CASE WHEN canceled THEN now() END
          FROM parent WHERE ${key}::text IS NULL OR canceled OR EXISTS (SELECT FROM held)`,
      );
      if (inserted > 0) {
        afterCommit(() => runAfterResponse(time));
        return id;
      }
      // The lock keeps the job from beginning until this commits, so that it sees what this wrote.
      const [held] = await run(
        (client) => client.$queryRaw<{ jobId: string }[]>`
          SELECT "jobId"::text FROM "_job_keys" WHERE "name" = ${name} AND "key" = ${key} FOR KEY SHARE`,
      );
      if (held) return held.jobId;
    }
  };

  return {
    runAfter: async (delayMs, fn, ...rest) => {
      if (!Number.isFinite(delayMs) || delayMs < 0)
        throw refuse(`delayMs ${delayMs} is not a number of milliseconds. Pass 0 or more.`);
      return schedule(checkedTime(Date.now() + delayMs), fn, rest);
    },
    runAt: async (time, fn, ...rest) => schedule(checkedTime(Number(time)), fn, rest),
    async cancel(jobId) {
      const id = parseJobId(jobId);
      await run((client) => cancelJobs(client, Prisma.sql`"_id" = ${id}::uuid`));
    },
  };
}

/** Cancels the jobs of a condition on `_scheduled_functions` that have not ended. Returns how many. */
const cancelJobs = (client: Pick<Client, "$executeRaw">, which: Prisma.Sql): Promise<number> =>
  endJobs(client, Prisma.sql`${which} AND "state" IN ('pending', 'inProgress')`, { state: "canceled" });

/** @throws TRPCError `BAD_REQUEST` for anything but a job's id */
export function parseJobId(jobId: string): string {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(jobId)) throw refuse(`Invalid job id ${quote(jobId)}`);
  return jobId;
}

function checkedTime(time: number): number {
  if (!Number.isFinite(time)) throw refuse(`Cannot schedule for ${time}: it is not a time`);
  if (time > Date.now() + fiveYears)
    throw refuse(`Cannot schedule for ${new Date(time).toISOString()}: it is more than 5 years away`);
  return time;
}

const refuse = (message: string) => new TRPCError({ code: "BAD_REQUEST", message });
