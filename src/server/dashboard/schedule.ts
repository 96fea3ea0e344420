import { z } from "zod";
import { prisma } from "../database";
import { nameOf } from "../registry";
import type { CronJobs } from "../scheduler/crons";
import { rerunJob } from "../scheduler/rerun";
import { scheduler } from "../scheduler/scheduler";
import { alone } from "../transaction";
import { t } from "../trpc";
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
