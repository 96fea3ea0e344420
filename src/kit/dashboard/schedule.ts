import { z } from "zod";
import { prisma } from "../database/database";
import { alone } from "../database/transaction";
import { nameOf } from "../functions/registry";
import { t } from "../functions/trpc";
import type { CronJobs } from "../jobs/crons";
import { rerunJob } from "../jobs/rerun";
import { scheduler } from "../jobs/scheduler";
import { adminProcedure, liveProcedure } from "./admin-procedure";
import { jobArgs, listJobs } from "./list-jobs";

const job = z.object({ jobId: z.uuid() });

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
    runAgain: adminProcedure.input(job).mutation(({ input }) => rerunJob(input.jobId)),
  });
