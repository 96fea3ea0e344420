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
import { readArgs, rerunJob } from "../jobs/rows";
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

    /** Keeps a job from starting, or one that runs from scheduling more. */
    cancel: adminProcedure.input(job).mutation(({ ctx, input }) => scheduler(ctx, alone).cancel(input.jobId)),

    /** Runs the function of a job that ended again, now, with the same arguments. Returns the new job's id. */
    runAgain: adminProcedure.input(job).mutation(async ({ input: { jobId } }) => {
      const again = await rerunJob(prisma, jobId);
      if (!again) throw new TRPCError({ code: "NOT_FOUND", message: `There is no job ${jobId} that ended` });
      return again;
    }),
  });

const jobArgs = { ...sortedPageArgs, list: z.enum(["pending", "running", "failed", "recent"]) };

type List = z.output<typeof jobArgs.list>;

/** Each by an index: what is next first, or what was last. */
const lists: Record<List, { where: Prisma.Sql; by: "scheduledTime" | "completedTime"; direction: Direction }> = {
  pending: { where: Prisma.sql`"state" = 'pending'`, by: "scheduledTime", direction: "asc" },
  running: { where: Prisma.sql`"state" = 'inProgress'`, by: "scheduledTime", direction: "desc" },
  failed: { where: Prisma.sql`"state" = 'failed'`, by: "scheduledTime", direction: "desc" },
  recent: { where: Prisma.sql`"completedTime" IS NOT NULL`, by: "completedTime", direction: "desc" },
};

interface Row {
  id: string;
  name: string;
  args: unknown;
  scheduledTime: Date;
  completedTime: Date | null;
  state: ScheduledState;
  error: string | null;
  cron: string | null;
}

/** A page of jobs; times are in milliseconds since the epoch. */
async function listJobs({ list, limit, cursor }: z.output<z.ZodObject<typeof jobArgs>>) {
  const { where, by, direction } = lists[list];
  const column = Prisma.raw(`"${by}"`);
  const { after, orderBy } = sortedPage({ column, isTime: true, direction, cursor });
  const rows = await prisma.$queryRaw<Row[]>`
    SELECT "_id"::text AS "id", "name", "args", "scheduledTime", "completedTime", "state"::text AS "state", "error", "cron"
    FROM "_scheduled_functions" WHERE ${where} AND ${after} ${orderBy} LIMIT ${limit + 1}`;
  const { page, nextCursor } = toPage(rows, limit, (row) =>
    formatCursor({ id: row.id, value: row[by]?.getTime() ?? 0 }),
  );
  return { page: page.map(toJob), nextCursor };
}

const toJob = ({ id, args, scheduledTime, completedTime, ...row }: Row) => ({
  ...row,
  _id: id,
  args: readArgs(args),
  scheduledTime: scheduledTime.getTime(),
  completedTime: completedTime?.getTime() ?? null,
});
