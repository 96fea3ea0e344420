import { vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { createClient } from "./client";
import type { Fleet } from "./fleet";

/** Numbers that functions.ts' `schedule` was called with, ten to a call. */
export interface Calls {
  answered: number[][];
  unanswered: number[][];
}

export const createCalls = (): Calls => ({ answered: [], unanswered: [] });

/** Schedules ten mutations at a time, and some actions, while there are fewer than fifty jobs to run. */
export async function scheduleJobs(
  calls: Calls,
  fleet: Pick<Fleet, "origin">,
  until: () => boolean,
  { fn = "crash.schedule", waiting = 50 } = {},
): Promise<void> {
  const client = createClient(fleet);
  for (let first = 0; !until(); first += 10) {
    const numbers = Array.from({ length: 10 }, (_, index) => first + index);
    const answer = await client.call(fn, { numbers });
    const isRefused = answer && answer.status < 500 && answer.status !== 200 && answer.code !== "TIMEOUT";
    if (isRefused) throw new Error(`Cannot schedule: ${answer.code}`);
    (answer?.status === 200 ? calls.answered : calls.unanswered).push(numbers);
    await untilFewerJobsThan(waiting);
  }
}

/** Lets the leases of all actions run out: none of their processes may be alive. */
export async function endLeases(): Promise<void> {
  await prisma.$executeRaw`UPDATE "_scheduled_functions" SET "leaseUntil" = now() WHERE "state" = 'inProgress'`;
}

/** Resolves when fewer than this many jobs wait or run. */
export async function untilFewerJobsThan(limit: number): Promise<void> {
  const where = { state: { in: ["pending" as const, "inProgress" as const] }, cron: null };
  const expectFewer = async () => {
    const count = await prisma.scheduledFunction.count({ where });
    if (count >= limit) throw new Error(`${count} jobs have not ended`);
  };
  // An action whose server was killed waits a minute for its lease to end.
  await vi.waitFor(expectFewer, { timeout: 150_000, interval: 50 });
}

/** The result of `examineRetried` when nothing is wrong. */
export const soundRetries = {
  answeredWithoutJobs: [],
  notEnded: [],
  wronglyEnded: [],
  notToldOnce: [],
  mutationsNotOnce: [],
  actionsNotTried: [],
  completionsNotOnce: [],
};

/** Compares jobs that are tried again with what they left behind. */
export async function examineRetried(calls: Calls) {
  const jobs = await prisma.$queryRaw<
    {
      id: string;
      name: string;
      n: number;
      state: string;
      error: string | null;
      failures: number;
      times: number;
      told: string[];
    }[]
  >`
    WITH left_by AS (SELECT "author", "body", count(*)::int AS times FROM "messages" GROUP BY "author", "body"),
      told AS (SELECT "author", array_agg("body") AS bodies FROM "messages" GROUP BY "author"),
      job AS (
        SELECT "_id"::text AS id, "name", "args" #>> '{json,n}' AS n, "state"::text, "error", "failures"
        FROM "_scheduled_functions" WHERE "name" IN ('crash.retriedAction', 'crash.retriedMutation')
      )
    SELECT id, "name", job.n::int, "state", "error", "failures", coalesce(times, 0) AS times, coalesce(bodies, '{}') AS told
    FROM job
    LEFT JOIN left_by ON left_by."body" = job.n
      AND left_by."author" = CASE "name" WHEN 'crash.retriedAction' THEN 'retried action' ELSE 'retried ' || job.n END
    LEFT JOIN told ON told."author" = job.id`;
  const completions = await prisma.scheduledFunction.groupBy({
    by: ["state"],
    where: { name: "crash.completed" },
    _count: true,
  });
  const mutations = jobs.filter(({ name }) => name === "crash.retriedMutation");
  const actions = jobs.filter(({ name }) => name === "crash.retriedAction");
  const scheduled = new Set(mutations.map(({ n }) => n));
  const isHopeless = (n: number) => n % 20 === 7;
  return {
    answeredWithoutJobs: calls.answered.filter((numbers) => !numbers.every((n) => scheduled.has(n))),
    notEnded: jobs.filter(({ state }) => state !== "success" && state !== "failed"),
    wronglyEnded: [
      ...mutations.filter(({ state, n }) => state !== "success" && !isHopeless(n)),
      ...actions.filter(({ state, n }) => state !== (isHopeless(n) ? "failed" : "success")),
    ],
    notToldOnce: jobs.filter(({ told, state }) => told.length !== 1 || told[0] !== state),
    mutationsNotOnce: mutations.filter(({ times, state }) => times !== (state === "success" ? 1 : 0)),
    // An attempt may have died before it left its row.
    actionsNotTried: actions.filter(({ times, state }) => state === "success" && times < 1),
    completionsNotOnce: completions.filter(({ state, _count }) => state !== "success" || _count !== jobs.length),
  };
}

/** The result of `examineJobs` when nothing is wrong. */
export const sound = {
  answeredWithoutJobs: [],
  halfScheduled: [],
  mutationsNotOnce: [],
  mutationsNotSucceeded: [],
  actionsTwice: [],
  actionsNotEnded: [],
};

export async function examineJobs(calls: Calls) {
  const jobs = await prisma.$queryRaw<
    { name: string; n: number; state: string; error: string | null; times: number }[]
  >`
    SELECT job."name", (job."args" #>> '{json,n}')::int AS n, job."state"::text, job."error", count(m.*)::int AS times
    FROM "_scheduled_functions" AS job
    LEFT JOIN "messages" AS m ON m."body" = job."args" #>> '{json,n}'
      AND m."author" = CASE job."name" WHEN 'crash.countAction' THEN 'action' ELSE 'mutation' END
    WHERE job."cron" IS NULL GROUP BY job."_id"`;
  const mutations = jobs.filter(({ name }) => name === "crash.countMutation");
  const actions = jobs.filter(({ name }) => name === "crash.countAction");
  const scheduled = new Set(mutations.map(({ n }) => n));
  return {
    answeredWithoutJobs: calls.answered.filter((numbers) => !numbers.every((n) => scheduled.has(n))),
    halfScheduled: calls.unanswered.filter((numbers) => new Set(numbers.map((n) => scheduled.has(n))).size > 1),
    mutationsNotOnce: mutations.filter(({ times }) => times !== 1),
    mutationsNotSucceeded: mutations.filter(({ state }) => state !== "success"),
    actionsTwice: actions.filter(({ times }) => times > 1),
    actionsNotEnded: actions.filter(({ state, times }) => state !== "failed" && !(state === "success" && times === 1)),
  };
}
