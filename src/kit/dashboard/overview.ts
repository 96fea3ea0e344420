import type { Prisma } from "~/generated/prisma/client";
import { prisma } from "../database/database";
import { readUpkeep } from "../jobs/housekeeping";
import { callStats, failingFunctions } from "../log/read-function-log";
import { readLooseReferences } from "../storage/garbage-collection";
import { readTotals } from "../storage/quota";
import { liveProcedure } from "./admin-procedure";

const hourMs = 3_600_000;
/** A job that is overdue by this long shows that there are too many jobs, or that no process runs them. */
const overdueMs = 60_000;
/** Jobs are counted exactly up to this number. */
const countedJobs = 1_000;

/** A problem that needs attention, as a sentence, and the page that shows more. */
interface Problem {
  text: string;
  href: string;
}

/** Not live, because there are many calls, and viewing the page makes more. The page asks every ten seconds instead. */
export const overview = liveProcedure().query(async () => {
  const now = Date.now();
  const [calls, failing, stored, jobs, upkeep, loose] = await Promise.all([
    callStats({ from: now - hourMs, to: now, buckets: 1 }),
    failingFunctions(now - hourMs),
    readTotals(),
    countJobs(now),
    readUpkeep(),
    readLooseReferences(),
  ]);
  const problems: Problem[] = [
    ...failing.map(({ name, errors }) => ({
      text: `${name} failed ${errors === 1 ? "once" : `${errors} times`} in the last hour.`,
      href: `/dashboard/logs?${new URLSearchParams({ function: name, outcome: "failed" })}`,
    })),
    ...(jobs.failed > 0
      ? [{ text: `${counted(jobs.failed, "job")} failed in the last day.`, href: "/dashboard/schedule?list=failed" }]
      : []),
    ...(jobs.overdue > 0
      ? [
          {
            text: `${counted(jobs.overdue, "job")} should have begun more than a minute ago. Where no process lives long, something has to call /api/cron.`,
            href: "/dashboard/schedule",
          },
        ]
      : []),
    ...Object.entries(upkeep).flatMap(([step, { failedSince, error }]) =>
      failedSince === undefined
        ? []
        : [
            {
              text: `The hourly upkeep fails at the step ${step}: ${error}`,
              href: "/dashboard/logs?function=_kit.upkeep",
            },
          ],
    ),
    ...loose.map(({ column, files }) => ({
      text: `The column ${column} names ${counted(files, "file")} without a foreign key. Add the foreign key.`,
      href: "/dashboard/files",
    })),
  ];
  const [lastHour] = calls;
  return {
    calls: lastHour?.calls ?? 0,
    errors: lastHour?.errors ?? 0,
    p95: lastHour?.p95 ?? null,
    stored,
    jobs,
    problems,
  };
});

const counted = (count: number, thing: string) =>
  `${count >= countedJobs ? `${countedJobs} or more` : count} ${thing}${count === 1 ? "" : "s"}`;

async function countJobs(now: number) {
  const count = (where: Prisma.ScheduledFunctionWhereInput) =>
    prisma.scheduledFunction.count({ where, take: countedJobs });
  const late = { lt: new Date(now - overdueMs) };
  const [pending, running, overdue, failed] = await Promise.all([
    count({ state: "pending" }),
    count({ state: "inProgress" }),
    count({ state: "pending", scheduledTime: late, OR: [{ retryAt: null }, { retryAt: late }] }),
    count({ state: "failed", scheduledTime: { gt: new Date(now - 24 * hourMs) } }),
  ]);
  return { pending, running, overdue, failed };
}
