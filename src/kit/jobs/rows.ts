import type { SuperJSONResult } from "superjson";
import { v7 } from "uuid";
import { z } from "zod";
import { Prisma, type ScheduledFunction, type ScheduledState } from "~/generated/prisma/client";
import { type Client, maintenance } from "../database/database";
import type { Id } from "../database/ids";
import { transformer } from "../functions/transformer";

// The rows of `_scheduled_functions`: what functions see of them, and the statements that end and retry jobs. Each of these
// statements ends with an UPDATE, because its count says whether there is a change to announce.

/** How a job ended. `error` is a text, such as `Error: The mail server answered 503`. */
export type JobResult<Value> =
  | { state: "success"; value: Value }
  | { state: "failed"; error: string }
  | { state: "canceled" };

/**
 * The zod type of a job's result, for the arguments of an `onComplete` function:
 *
 *     args: { jobId: id("_scheduled_functions"), result: jobResult(z.string()) }
 *
 * @param value the type of what the job's function returns. Default: anything
 */
export function jobResult<Value extends z.ZodType = z.ZodUnknown>(value?: Value) {
  return z.discriminatedUnion("state", [
    z.object({ state: z.literal("success"), value: (value ?? z.unknown()) as Value }),
    z.object({ state: z.literal("failed"), error: z.string() }),
    z.object({ state: z.literal("canceled") }),
  ]);
}

/** What an `onComplete` function receives. */
export interface Completion<Args, Value> {
  /** The job that ended. */
  jobId: Id<"_scheduled_functions">;
  /** The job's arguments. */
  args: Args;
  result: JobResult<Value>;
}

/** A document of the `_scheduled_functions` system table. Times are in milliseconds since the epoch. */
export interface ScheduledFunctionDocument {
  _id: Id<"_scheduled_functions">;
  _creationTime: number;
  /** For example `messages.sendMessage`. */
  name: string;
  args: unknown;
  scheduledTime: number;
  /** When it ended, if it did. */
  completedTime?: number;
  state: ScheduledState;
  /** Attempts that failed so far, if any did. */
  failedAttempts?: number;
  /** When it runs again, if it waits for its next attempt. */
  nextAttemptTime?: number;
  /** The error of its last attempt, if one failed. */
  error?: string;
}

/** A `_scheduled_functions` row as functions see it. */
export function toScheduledFunction(row: ScheduledFunction): ScheduledFunctionDocument {
  const isWaiting = row.state === "pending" && row.retryAt !== null;
  return {
    _id: row.id,
    _creationTime: row.creationTime.getTime(),
    name: row.name,
    args: readArgs(row.args),
    scheduledTime: row.scheduledTime.getTime(),
    ...(row.completedTime && { completedTime: row.completedTime.getTime() }),
    state: row.state,
    ...(row.failures > 0 && { failedAttempts: row.failures }),
    ...(isWaiting && { nextAttemptTime: row.retryAt?.getTime() }),
    ...(row.error !== null && { error: row.error }),
  };
}

/** The arguments of an `onComplete` job, as `completion` builds them from texts that the scheduler wrote. */
const completed = z.object({
  completed: z.object({ jobId: z.string(), args: z.unknown(), result: z.unknown() }),
});

/** Reads a job's arguments. Throws when they are not what the scheduler writes. */
export function parseStoredArgs(stored: unknown): unknown {
  const { data } = completed.safeParse(stored);
  if (!data) return transformer.deserialize(stored as SuperJSONResult);
  const { jobId, args, result } = data.completed;
  return {
    jobId,
    args: transformer.deserialize(args as SuperJSONResult),
    result: transformer.deserialize(result as SuperJSONResult),
  };
}

/** A job's arguments; `null` when they are not what the scheduler writes. */
export function readArgs(stored: unknown): unknown {
  try {
    return parseStoredArgs(stored);
  } catch {
    return null;
  }
}

/** Inserts the `onComplete` jobs of these `jobs`, a table expression, which ended with this result. */
const completion = (jobs: Prisma.Sql, result: string) => Prisma.sql`
  INSERT INTO "_scheduled_functions" ("_id", "name", "args", "scheduledTime")
  SELECT gen_random_uuid(), "onComplete",
    jsonb_build_object('completed', jsonb_build_object('jobId', "_id", 'args', "args", 'result', ${result}::jsonb)), now()
  FROM ${jobs} AS job WHERE "onComplete" IS NOT NULL`;

type Executor = Pick<Client, "$executeRaw">;

/** Schedules the job's `onComplete` function, in the transaction of the mutation that the job ran. */
export function completeMutation(
  client: Executor,
  job: { id: string; args: unknown; onComplete: string | null },
  value: unknown,
): Promise<number> {
  // The row is not read again, since reading it would make neighboring mutations conflict.
  const row = Prisma.sql`(SELECT ${job.id}::uuid AS "_id", ${JSON.stringify(job.args)}::jsonb AS "args",
    ${job.onComplete}::text AS "onComplete")`;
  return client.$executeRaw(completion(row, transformer.stringify({ state: "success", value })));
}

/**
 * Ends jobs, all in one statement: inserts them into `_ended_jobs`, which happens once for each, and only then sets their state
 * and schedules their `onComplete` functions. A job that another process ends at the same moment is left alone. Returns how
 * many it ended.
 *
 * @param which a condition on `_scheduled_functions`
 * @param error stored with the job, when it is not that of the result
 */
export const endJobs = (
  client: Executor,
  which: Prisma.Sql,
  result: JobResult<unknown>,
  error: string | null = result.state === "failed" ? result.error : null,
): Promise<number> =>
  client.$executeRaw`
    WITH job AS (
      SELECT * FROM "_scheduled_functions" WHERE ${which} ORDER BY "_id" FOR UPDATE
    ), ended AS (
      INSERT INTO "_ended_jobs" ("_id") SELECT "_id" FROM job ON CONFLICT DO NOTHING RETURNING "_id"
    ), freed AS (
      DELETE FROM "_job_keys" USING job WHERE "jobId" = job."_id" AND job."key" IS NOT NULL
    ), told AS (
      ${completion(Prisma.sql`(SELECT job.* FROM job JOIN ended USING ("_id"))`, transformer.stringify(result))}
    )
    UPDATE "_scheduled_functions"
    SET "state" = ${result.state}::"ScheduledState", "completedTime" = now(), "error" = ${error}
    WHERE "_id" IN (SELECT "_id" FROM ended)`;

/** An SQL condition: the job's `retry` allows another attempt after one that has just failed. */
export const hasRetries = Prisma.sql`coalesce("failures" + 1 < ("retry" ->> 'maxAttempts')::int, false)`;

/** Seconds between two attempts at most. */
const longestRetryPause = 24 * 60 * 60;

/**
 * Schedules the next attempt of failed jobs, as far as their `retry` allows. The other jobs must be ended afterwards. The
 * pause grows with each attempt. It is multiplied by a random factor from 0.75 to 1.25, so that jobs that failed together
 * are not retried together.
 *
 * @param which a condition on `_scheduled_functions`
 */
export const retryJobs = (client: Executor, which: Prisma.Sql, error: string): Promise<number> =>
  client.$executeRaw`
    WITH job AS (
      SELECT * FROM "_scheduled_functions" WHERE ${which} AND ${hasRetries} ORDER BY "_id" FOR UPDATE
    ), held AS (
      INSERT INTO "_job_keys" ("name", "key", "jobId") SELECT "name", "key", "_id" FROM job WHERE "key" IS NOT NULL
      ON CONFLICT DO NOTHING
    )
    UPDATE "_scheduled_functions"
    SET "state" = 'pending', "failures" = "failures" + 1, "error" = ${error}, "takenBy" = NULL, "leaseUntil" = NULL,
      "retryAt" = now() + make_interval(secs => (0.75 + random() / 2) * LEAST(${longestRetryPause}::float,
        ("retry" ->> 'initialBackoffMs')::float / 1000 * power(("retry" ->> 'base')::float, "failures")))
    WHERE "_id" IN (SELECT "_id" FROM job)`;

/** Frees the keys of a job that begins: from now on, scheduling by its key makes a new job. */
export const freeKey = (client: Executor, jobId: string): Promise<number> =>
  client.$executeRaw`DELETE FROM "_job_keys" WHERE "jobId" = ${jobId}::uuid`;

/** Schedules the function of an ended job once more, now. Returns the new job's id, or `null` when no such job ended. */
export async function rerunJob(client: Executor, jobId: string): Promise<string | null> {
  const id = v7();
  const scheduled = await client.$executeRaw`
    INSERT INTO "_scheduled_functions" ("_id", "name", "args", "scheduledTime", "retry", "onComplete")
    SELECT ${id}::uuid, "name", "args", now(), "retry", "onComplete" FROM "_scheduled_functions"
    WHERE "_id" = ${jobId}::uuid AND "state" IN ('success', 'failed', 'canceled')`;
  return scheduled === 0 ? null : id;
}

/** Forgets jobs that ended a week ago. Returns how many. */
export async function forgetOld(): Promise<number> {
  const forgotten = await maintenance.$executeRaw`
    DELETE FROM "_scheduled_functions" WHERE "completedTime" < now() - interval '7 days'`;
  await maintenance.$executeRaw`
    DELETE FROM "_ended_jobs" AS ended
    WHERE NOT EXISTS (SELECT FROM "_scheduled_functions" AS job WHERE job."_id" = ended."_id")`;
  return forgotten;
}
