import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { Prisma, type ScheduledState } from "~/generated/prisma/client";
import { prisma } from "../database/database";
import { id } from "../database/ids";
import { type Direction, formatCursor, sortedPage, sortedPageArgs, toPage } from "../database/pagination";
import { alone } from "../database/transaction";
import { t } from "../functions/builders";
import { nameOf } from "../functions/server-function";
import type { CronJobs } from "../jobs/crons";
import { endJobs, readArgs, rerunJob } from "../jobs/rows";
import { scheduler } from "../jobs/scheduler";
import { adminProcedure, liveProcedure } from "./admin-procedure";

const job = z.object({ jobId: id("_scheduled_functions") });

export const schedule = ({ jobs }: CronJobs) =>
  t.router({
    /** A page of the jobs in a state. */
    jobs: liveProcedure("_scheduled_functions")
      .input(z.object(jobArgs))
      .query(({ input }) => listJobs(input)),

    /** The recurring functions, when each runs next, and how it last ended. */
    crons: liveProcedure("_scheduled_functions").query(() =>
      Promise.all(
        [...jobs.values()].map(async ({ name, fn, args, schedule, next }) => {
          const last = await prisma.scheduledFunction.findFirst({
            where: { cron: name, completedTime: { not: null } },
            orderBy: { scheduledTime: "desc" },
            select: { state: true, error: true, completedTime: true },
          });
          return { name, function: nameOf(fn), args: args ?? {}, schedule, next: next(new Date()).getTime(), last };
        }),
      ),
    ),

    /** Keeps a pending job from starting, and a running one from scheduling more jobs. */
    cancel: adminProcedure.input(job).mutation(({ ctx, input }) => scheduler(ctx, alone).cancel(input.jobId)),

    /** Cancels all jobs of a list, or those of one function in it. Recurring functions are left alone. Returns how many it canceled. */
    cancelAll: adminProcedure
      .input(z.object({ list: z.enum(["pending", "running"]), name: jobArgs.name }))
      .mutation(({ input }) => cancelAll(input)),

    /** Schedules the function of an ended job again, now, with the same arguments. Returns the new job's id. */
    runAgain: adminProcedure.input(job).mutation(async ({ input: { jobId } }) => {
      const again = await rerunJob(prisma, jobId);
      if (!again) throw new TRPCError({ code: "NOT_FOUND", message: `Job ${jobId} does not exist or has not ended.` });
      return again;
    }),
  });

const jobArgs = {
  ...sortedPageArgs,
  list: z.enum(["pending", "running", "failed", "recent"]),
  /** Only jobs of this function. */
  name: z.string().max(200).optional(),
};

type List = z.output<typeof jobArgs.list>;

/** Each list is read by an index: the next jobs first, or the latest ones. */
const lists: Record<List, { where: Prisma.Sql; by: "scheduledTime" | "completedTime"; direction: Direction }> = {
  pending: { where: Prisma.sql`"state" = 'pending'`, by: "scheduledTime", direction: "asc" },
  running: { where: Prisma.sql`"state" = 'inProgress'`, by: "scheduledTime", direction: "desc" },
  failed: { where: Prisma.sql`"state" = 'failed'`, by: "scheduledTime", direction: "desc" },
  recent: { where: Prisma.sql`"completedTime" IS NOT NULL`, by: "completedTime", direction: "desc" },
};

const ofFunction = (name: string | undefined) => (name === undefined ? Prisma.sql`true` : Prisma.sql`"name" = ${name}`);

/** Jobs that one statement cancels. */
const batch = 1_000;

async function cancelAll({ list, name }: { list: "pending" | "running"; name?: string }): Promise<number> {
  const before = new Date();
  const which = Prisma.sql`"_id" IN (
    SELECT "_id" FROM "_scheduled_functions"
    WHERE ${lists[list].where} AND ${ofFunction(name)} AND "cron" IS NULL AND "_creationTime" <= ${before} LIMIT ${batch})`;
  for (let total = 0; ; ) {
    const canceled = await endJobs(prisma, which, { state: "canceled" });
    total += canceled;
    if (canceled === 0) return total;
  }
}

interface Row {
  id: string;
  name: string;
  args: unknown;
  scheduledTime: Date;
  /** Attempts that failed. */
  failures: number;
  /** The most attempts; `null` for a job without `retry`. */
  maxAttempts: number | null;
  /** When the next attempt is, if the job waits for one. */
  retryAt: Date | null;
  key: string | null;
  completedTime: Date | null;
  state: ScheduledState;
  error: string | null;
  cron: string | null;
}

/** A page of jobs; times are in milliseconds since the epoch. */
async function listJobs({ list, name, limit, cursor }: z.output<z.ZodObject<typeof jobArgs>>) {
  const { where, by, direction } = lists[list];
  const column = Prisma.raw(`"${by}"`);
  const { after, orderBy } = sortedPage({ column, isTime: true, direction, cursor });
  const rows = await prisma.$queryRaw<Row[]>`
    SELECT "_id"::text AS "id", "name", "args", "scheduledTime", "completedTime", "state"::text AS "state", "error", "cron", "key",
      "failures", ("retry" ->> 'maxAttempts')::int AS "maxAttempts", CASE WHEN "state" = 'pending' THEN "retryAt" END AS "retryAt"
    FROM "_scheduled_functions" WHERE ${where} AND ${ofFunction(name)} AND ${after} ${orderBy} LIMIT ${limit + 1}`;
  const { page, nextCursor } = toPage(rows, limit, (row) =>
    formatCursor({ id: row.id, value: row[by]?.getTime() ?? 0 }),
  );
  return { page: page.map(toJob), nextCursor };
}

const toJob = ({ id, args, scheduledTime, completedTime, retryAt, ...row }: Row) => ({
  ...row,
  _id: id,
  args: readArgs(args),
  scheduledTime: scheduledTime.getTime(),
  completedTime: completedTime?.getTime() ?? null,
  retryAt: retryAt?.getTime() ?? null,
});
