import { setTimeout as sleep } from "node:timers/promises";
import { TRPCError } from "@trpc/server";
import { after } from "next/server";
import type { SuperJSONResult } from "superjson";
import { v7 } from "uuid";
import type { ScheduledFunction, ScheduledState } from "~/generated/prisma/client";
import { prisma } from "../database/database";
import type { Statements } from "../database/transaction";
import { parseArgs } from "../functions/args";
import type { RequestContext } from "../functions/request-context";
import { type ArgsOf, definition, nameOf, type Schedulable } from "../functions/server-function";
import { transformer } from "../functions/transformer";
import { quote } from "../log/text";
import { processWide } from "../process/process-wide";

/** `ctx.scheduler`: runs mutations and actions later. In a mutation nothing is scheduled unless it commits. */
export interface Scheduler {
  /** Runs the function in `delayMs` milliseconds and returns the job's id. */
  runAfter<Args>(delayMs: number, fn: Schedulable<Args>, ...args: ArgsOf<Args>): Promise<string>;
  /** Runs the function at a time: a `Date`, or milliseconds since the epoch. */
  runAt<Args>(time: number | Date, fn: Schedulable<Args>, ...args: ArgsOf<Args>): Promise<string>;
  /** Keeps a job from starting. An action in progress goes on, but schedules nothing more. Does nothing to one that ended. */
  cancel(jobId: string): Promise<void>;
}

const fiveYears = 5 * 366 * 24 * 60 * 60 * 1000;
const maxPerTransaction = 1000;

export function scheduler(context: RequestContext, { run, afterCommit }: Statements): Scheduler {
  let scheduled = 0;

  const schedule = async <Args>(time: number, fn: Schedulable<Args>, args: unknown): Promise<string> => {
    const name = nameOf(fn);
    if (!name) throw new Error("Cannot schedule a function that no file listed in functions/index.ts exports");
    parseArgs(fn[definition].args, args);
    scheduled++;
    if (scheduled > maxPerTransaction)
      throw new Error(`Cannot schedule more than ${maxPerTransaction} functions at once`);
    const id = v7();
    const parentId = context.jobId ?? null;
    await run(
      (client) => client.$executeRaw`
        INSERT INTO "_scheduled_functions" ("_id", "name", "args", "scheduledTime", "parentId", "state", "completedTime")
        SELECT ${id}::uuid, ${name}, ${transformer.stringify(args ?? {})}::jsonb, ${new Date(time)}, ${parentId}::uuid,
          CASE WHEN canceled THEN 'canceled' ELSE 'pending' END::"ScheduledState", CASE WHEN canceled THEN now() END
        FROM (
          SELECT EXISTS (
            SELECT FROM "_scheduled_functions" WHERE "_id" = ${parentId}::uuid AND "state" = 'canceled'
          ) AS canceled
        ) AS parent`,
    );
    afterCommit(() => runAfterResponse(time));
    return id;
  };

  return {
    runAfter: async (delayMs, fn, ...[args]) => {
      if (!Number.isFinite(delayMs) || delayMs < 0)
        throw refuse(`delayMs ${delayMs} is not a number of milliseconds from 0 on`);
      return schedule(checkedTime(Date.now() + delayMs), fn, args);
    },
    runAt: async (time, fn, ...[args]) => schedule(checkedTime(Number(time)), fn, args),
    async cancel(jobId) {
      if (!/^[0-9a-f-]{36}$/i.test(jobId)) throw refuse(`Invalid job id ${quote(jobId)}`);
      // The insert is what a mutation that is just running cannot commit beside.
      await run(
        (client) => client.$executeRaw`
          WITH ended AS (
            INSERT INTO "_ended_jobs" ("_id") SELECT "_id" FROM "_scheduled_functions"
            WHERE "_id" = ${jobId}::uuid AND "state" IN ('pending', 'inProgress')
            ON CONFLICT DO NOTHING RETURNING "_id"
          )
          UPDATE "_scheduled_functions" SET "state" = 'canceled', "completedTime" = now()
          WHERE "_id" IN (SELECT "_id" FROM ended)`,
      );
    },
  };
}

function checkedTime(time: number): number {
  if (!Number.isFinite(time)) throw refuse(`Cannot schedule for ${time}: it is not a time`);
  if (time > Date.now() + fiveYears)
    throw refuse(`Cannot schedule for ${new Date(time).toISOString()}: it is more than 5 years away`);
  return time;
}

const refuse = (message: string) => new TRPCError({ code: "BAD_REQUEST", message });

/** Milliseconds that jobs may be away for a request to wait for them; later ones are for `/api/cron`. */
const nearby = 5_000;
/** Milliseconds in which they are started: within the time that a function of Vercel has by default, with its request. */
const budget = 20_000;

/** The runner, which the start gives: it runs functions, and functions schedule by this file. */
export const afterResponses = processWide("after responses", () => ({
  run: async (_budget: number): Promise<number> => 0,
}));

/**
 * On Vercel, where a process runs only while it answers: has what a request scheduled run when it has been answered.
 *
 * @param time when the job is due, in milliseconds since the epoch
 */
function runAfterResponse(time: number): void {
  if (process.env.VERCEL !== "1" || time - Date.now() > nearby) return;
  try {
    after(async () => {
      await sleep(Math.max(0, time - Date.now()));
      await afterResponses.run(budget);
    });
  } catch {
    // Outside of a request, as in a job: whoever runs jobs looks for more of them.
  }
}

/** A document of the `_scheduled_functions` system table. Times are in milliseconds since the epoch. */
export interface ScheduledFunctionDocument {
  _id: string;
  _creationTime: number;
  /** As `messages.sendMessage`. */
  name: string;
  args: unknown;
  scheduledTime: number;
  /** When it ended, if it did. */
  completedTime?: number;
  state: ScheduledState;
}

/** A job's arguments as the scheduler serialized them; `null` when they are not what it writes. */
export function readArgs(args: unknown): unknown {
  try {
    return transformer.deserialize(args as SuperJSONResult);
  } catch {
    return null;
  }
}

/** A `_scheduled_functions` row as functions see it. */
export function toScheduledFunction(row: ScheduledFunction): ScheduledFunctionDocument {
  return {
    _id: row.id,
    _creationTime: row.creationTime.getTime(),
    name: row.name,
    args: readArgs(row.args),
    scheduledTime: row.scheduledTime.getTime(),
    ...(row.completedTime && { completedTime: row.completedTime.getTime() }),
    state: row.state,
  };
}

/** Schedules what a job that ended did once more, now. Returns the new job's id. Throws `NOT_FOUND` when none ended. */
export async function rerunJob(jobId: string): Promise<string> {
  const id = v7();
  const scheduled = await prisma.$executeRaw`
    INSERT INTO "_scheduled_functions" ("_id", "name", "args", "scheduledTime")
    SELECT ${id}::uuid, "name", "args", now() FROM "_scheduled_functions"
    WHERE "_id" = ${jobId}::uuid AND "state" IN ('success', 'failed', 'canceled')`;
  if (scheduled === 0) throw new TRPCError({ code: "NOT_FOUND", message: `There is no job ${jobId} that ended` });
  return id;
}
