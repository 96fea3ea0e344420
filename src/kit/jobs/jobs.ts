import { randomUUID } from "node:crypto";
import { Prisma } from "~/generated/prisma/client";
import { prisma } from "../database/database";
import { DatabaseUnavailable, isConflict, sqlState, uniqueViolation } from "../database/errors";
import type { Transaction } from "../database/transaction";
import { refuseUnstorable } from "../functions/args";
import { runAround } from "../functions/context";
import { createSystemContext, type RequestContext } from "../functions/request-context";
import { allFunctions, definition, functionNamed, type Kind } from "../functions/server-function";
import { transformer } from "../functions/transformer";
import { reportFailure } from "../log/scope";
import { storable } from "../log/text";
import { processWide, stopping } from "../process/process-wide";
import { completeMutation, endJobs, freeKey, hasRetries, parseStoredArgs, retryJobs } from "./rows";

/** Seconds for which an action counts as running after its process last renewed its lease. */
const leaseSeconds = 60;
/** Minutes that a job waits for a process that knows its function. */
const unknownMinutes = 15;
/** The first and the longest pause, in milliseconds, before a job that could not run is tried again. */
const firstPause = 1_000;
const longestPause = 5 * 60_000;
/** Characters of an error that are kept. */
const maxError = 10_000;
/** Bytes of a result that `onComplete` receives, as JSON. */
const maxResultBytes = 1024 * 1024;

export interface Job {
  id: string;
  name: string;
  args: unknown;
  /** Times that it could not run. */
  attempts: number;
  /** Attempts that failed. */
  failures: number;
  /** Whether it has been tried before. */
  isRetry: boolean;
  cron: string | null;
  key: string | null;
  onComplete: string | null;
}

/**
 * Finds pending jobs that are due, the longest due first. Jobs that were never tried and jobs that were tried before have
 * separate limits, so that retries cannot take every place. Jobs whose function this process does not know are left to a
 * process that knows it.
 *
 * @param kind of the functions; `null` for all, known here or not
 */
export async function findDue(
  kind: Kind | null,
  now: Date,
  limits: { fresh: number; retried: number },
): Promise<Job[]> {
  const names = [...allFunctions()].flatMap(([name, fn]) => (fn[definition].kind === kind ? [name] : []));
  const known = kind === null ? Prisma.sql`true` : Prisma.sql`"name" = ANY(${names})`;
  const due = (condition: Prisma.Sql, limit: number) => Prisma.sql`(
    SELECT "_id"::text AS "id", "name", "args", "attempts", "failures", "retryAt" IS NOT NULL AS "isRetry", "cron", "key", "onComplete"
    FROM "_scheduled_functions"
    WHERE "state" = 'pending' AND "scheduledTime" <= ${now} AND ${known} AND ${condition}
    ORDER BY "scheduledTime" LIMIT ${Math.max(0, limit)})`;
  return prisma.$queryRaw<Job[]>`
    ${due(Prisma.sql`"retryAt" IS NULL`, limits.fresh)} UNION ALL
    ${due(Prisma.sql`"retryAt" <= ${now}`, limits.retried)}`;
}

/**
 * Returns when to look for jobs again if no new one is announced: when the next job is due, or when a job of a dead process
 * can be put back. `null` when there is none. `isWaiting` says whether due jobs wait for a place or for another process.
 */
export async function nextLook(now: Date): Promise<{ next: Date | null; isWaiting: boolean }> {
  const [row] = await prisma.$queryRaw<{ next: Date | null; isWaiting: boolean }[]>`
    SELECT LEAST(
      (SELECT min("scheduledTime") FROM "_scheduled_functions" WHERE "state" = 'pending' AND "scheduledTime" > ${now}),
      (SELECT min("retryAt") FROM "_scheduled_functions"
        WHERE "state" = 'pending' AND "scheduledTime" <= ${now} AND "retryAt" > ${now}),
      (SELECT min("leaseUntil") FROM "_scheduled_functions" WHERE "state" = 'inProgress')
    ) AS next,
    EXISTS (SELECT FROM "_scheduled_functions"
      WHERE "state" = 'pending' AND "scheduledTime" <= ${now} AND ("retryAt" IS NULL OR "retryAt" <= ${now})) AS "isWaiting"`;
  return row ?? { next: null, isWaiting: true };
}

/** One attempt to run a job. */
interface Attempt {
  job: Job;
  kind: Kind;
  /** Names the attempt of an action that took its job. */
  takenBy: string;
  stop: () => void;
}

/** A condition: the job is still that of this attempt. No other process has ended it, taken it or given it up since. */
const isCurrent = ({ job, kind, takenBy }: Attempt) =>
  kind === "action"
    ? Prisma.sql`"_id" = ${job.id}::uuid AND "state" = 'inProgress' AND "takenBy" = ${takenBy}::uuid`
    : Prisma.sql`"_id" = ${job.id}::uuid AND "state" = 'pending' AND "failures" = ${job.failures}`;

/** The jobs that run in this process, by id. */
const running = processWide("running jobs", () => new Map<string, Attempt>());

/**
 * Runs a job: a mutation takes effect exactly once; an action runs at most once, or with `retry` at least once. `false` when it
 * did not run: another process has it, or it could not run now and is tried again later.
 */
export async function runJob(job: Job): Promise<boolean> {
  const fn = functionNamed(job.name);
  if (!fn) return false;
  const { kind } = fn[definition];
  const controller = new AbortController();
  const stop = () => controller.abort(new Error("The server stops"));
  const attempt: Attempt = { job, kind, takenBy: randomUUID(), stop };
  const system = createSystemContext();
  const context: RequestContext = {
    ...system,
    requestId: job.id,
    jobId: job.id,
    signal: controller.signal,
    // A job has no sender who could call too often.
    limitRate: async (limit) =>
      typeof limit === "object" && limit.key !== undefined ? system.limitRate(limit) : undefined,
  };
  running.set(job.id, attempt);
  try {
    const ran = await runAround(
      context,
      fn,
      (handle, transaction) => {
        const handleJob = () => handle(parseStoredArgs(job.args));
        if (kind === "mutation") return runMutationJob(attempt, transaction, handleJob);
        if (kind === "action") return runActionJob(attempt, handleJob);
        throw new Error(`Cannot run ${job.name} as a job: it is a query`);
      },
      { name: job.name, outcomeOf: (ran: Ran) => (ran ? "ok" : null) },
    );
    if (ran) await succeed(attempt, ran.value);
    return ran !== null;
  } catch (error) {
    // The database became unavailable, or the mutation lost every conflict. A mutation had no effect, and an action did not
    // begin.
    const isMutation = kind === "mutation";
    if (error instanceof NotBegun || (isMutation && (error instanceof DatabaseUnavailable || isConflict(error)))) {
      await postpone(job, error);
      return false;
    }
    reportFailure(job.id, job.name, error);
    await record(job, () => fail(isCurrent(attempt), textOf(error)));
    return true;
  } finally {
    running.delete(job.id);
  }
}

/** The result of a function, or `null` when its job was not free to run. */
type Ran = { value: unknown } | null;

/** The end of the job and the mutation's writes commit together, so that no crash can separate them. */
async function runMutationJob({ job }: Attempt, { run }: Transaction, handle: () => Promise<unknown>): Promise<Ran> {
  // This runs outside of the mutation's transaction. Otherwise others that schedule by the key would wait for its end.
  if (job.key !== null) await freeKey(prisma, job.id);
  // The locks are those of this job, and of all runs of a recurring function.
  const ended = await run(
    (client) => client.$executeRaw`
      INSERT INTO "_ended_jobs" ("_id") SELECT ${job.id}::uuid
      WHERE pg_try_advisory_xact_lock(hashtextextended(${job.id}, 0))
        AND (${job.cron}::text IS NULL OR pg_try_advisory_xact_lock(hashtextextended(${`cron ${job.cron}`}, 0)))
      ON CONFLICT DO NOTHING`,
  );
  if (ended === 0) return null;
  const value = await handle();
  if (job.onComplete !== null) {
    refuseUntellable(value);
    await run((client) => completeMutation(client, job, value));
  }
  return { value };
}

/** An action that could not be claimed, or did not begin. It is tried again. */
class NotBegun extends Error {
  override name = "NotBegun";
}

/** The job is taken before it runs. After a crash it runs again only if it has `retry`. */
async function runActionJob(attempt: Attempt, handle: () => Promise<unknown>): Promise<Ran> {
  if (!(await take(attempt))) return null;
  if (stopping.aborted) {
    await putBack(attempt);
    return null;
  }
  const extending = setInterval(() => extendLease(attempt), (leaseSeconds * 1000) / 4);
  try {
    const value = await handle();
    if (attempt.job.onComplete !== null) refuseUntellable(value);
    return { value };
  } finally {
    clearInterval(extending);
  }
}

/** Throws for a result that `onComplete` could not receive. */
function refuseUntellable(value: unknown): void {
  refuseUnstorable(value, ["result"]);
  const bytes = Buffer.byteLength(transformer.stringify(value));
  if (bytes > maxResultBytes) {
    throw new Error(
      `The result has ${bytes} bytes as JSON; onComplete receives at most ${maxResultBytes}. Store it instead`,
    );
  }
}

/** Ends that could not be recorded because the database was away. `settle` records them. */
const unrecorded = processWide("unrecorded ends", () => new Set<() => Promise<unknown>>());

async function record(job: Job, end: () => Promise<unknown>): Promise<void> {
  try {
    await end();
  } catch (error) {
    console.error(`Could not record how job ${job.id} ended, will try again: ${textOf(error)}`);
    unrecorded.add(end);
  }
}

/** A mutation has recorded its end itself. Only the state in its row is missing, which `settle` repairs too. */
const succeed = (attempt: Attempt, value: unknown): Promise<void> =>
  record(attempt.job, () =>
    attempt.kind === "action"
      ? endJobs(prisma, isCurrent(attempt), { state: "success", value: attempt.job.onComplete === null ? null : value })
      : prisma.$executeRaw`
          UPDATE "_scheduled_functions" SET "state" = 'success', "completedTime" = now(), "error" = NULL
          WHERE "_id" = ${attempt.job.id}::uuid AND "state" = 'pending'`,
  );

/** Schedules the next attempt of failed jobs, or ends them. */
async function fail(which: Prisma.Sql, error: string): Promise<void> {
  await retryJobs(prisma, which, error);
  await endJobs(prisma, Prisma.sql`${which} AND NOT ${hasRetries}`, { state: "failed", error });
}

async function take(attempt: Attempt): Promise<boolean> {
  const { job, takenBy } = attempt;
  const taken = await prisma.$executeRaw`
    WITH freed AS (
      DELETE FROM "_job_keys" WHERE ${job.key}::text IS NOT NULL AND "jobId" = ${job.id}::uuid
    )
    UPDATE "_scheduled_functions"
    SET "state" = 'inProgress', "takenBy" = ${takenBy}::uuid,
      "leaseUntil" = now() + make_interval(secs => ${leaseSeconds})
    WHERE "_id" = ${job.id}::uuid AND "state" = 'pending' AND (${job.cron}::text IS NULL OR NOT EXISTS (
      SELECT FROM "_scheduled_functions" AS other WHERE other."cron" = ${job.cron} AND other."state" = 'inProgress'
    ))`.catch((error) => {
    // Two runs of a recurring function were claimed at the same moment. The unique index lets only one of them through.
    if (sqlState(error) === uniqueViolation) return 0;
    if (!(error instanceof DatabaseUnavailable)) throw error;
    // The statement may have claimed the job although its answer was lost.
    unrecorded.add(() => putBack(attempt));
    throw new NotBegun("The database went away while the job was taken", { cause: error });
  });
  return taken === 1;
}

/** Gives back a job that was taken and did not begin. */
const putBack = (attempt: Attempt) => prisma.$executeRaw`
  UPDATE "_scheduled_functions" SET "state" = 'pending', "takenBy" = NULL, "leaseUntil" = NULL
  WHERE ${isCurrent(attempt)}`;

function extendLease(attempt: Attempt): void {
  prisma.$executeRaw`
    UPDATE "_scheduled_functions" SET "leaseUntil" = now() + make_interval(secs => ${leaseSeconds})
    WHERE ${isCurrent(attempt)}`.catch((error) =>
    console.error(`Could not extend the lease of job ${attempt.job.id}:`, error),
  );
}

/** Postpones a job that could not run. The pause grows with each attempt. */
async function postpone(job: Job, error: unknown): Promise<void> {
  const pause = Math.min(longestPause, firstPause * 2 ** Math.min(job.attempts, 20)) * (0.75 + Math.random() / 2);
  console.warn(
    `Job ${job.id} (${job.name}) could not run, will try again in ${Math.ceil(pause / 1000)} s: ${textOf(error)}`,
  );
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions"
    SET "attempts" = "attempts" + 1, "retryAt" = now() + make_interval(secs => ${pause / 1000}::float)
    WHERE "_id" = ${job.id}::uuid AND "state" IN ('pending', 'inProgress')`.catch((error) =>
    console.error(`Could not postpone job ${job.id}: ${textOf(error)}`),
  );
}

/** The error in words that PostgreSQL can store, whatever was thrown. */
function textOf(error: unknown): string {
  let text: string;
  try {
    text = String(error);
  } catch {
    text = "An error that cannot be turned into text";
  }
  return storable(text, maxError);
}

/**
 * Finishes the jobs of processes that died. Mutations whose transaction had committed took effect; actions may have run in
 * part, and are tried again if they have `retry`. Ends jobs whose function no process knows, and skips runs of a recurring
 * function when a later run is due.
 */
export async function settle(): Promise<void> {
  for (const end of unrecorded) {
    await end().catch((error) => {
      if (error instanceof DatabaseUnavailable) throw error;
      console.error(`Could not record how a job ended: ${textOf(error)}`);
    });
    unrecorded.delete(end);
  }
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions" AS job SET "state" = 'success', "completedTime" = now(), "error" = NULL
    WHERE "state" = 'pending' AND "scheduledTime" <= now()
      AND EXISTS (SELECT FROM "_ended_jobs" AS ended WHERE ended."_id" = job."_id")`;
  await fail(Prisma.sql`"state" = 'inProgress' AND "leaseUntil" < now()`, "The process that ran it died");
  const unknown =
    "No process has a function of this name; was it renamed, removed, or left out of src/functions/index.ts?";
  const known = [...allFunctions().keys()];
  await endJobs(
    prisma,
    Prisma.sql`"state" = 'pending' AND "scheduledTime" < now() - make_interval(mins => ${unknownMinutes})
      AND "name" <> ALL(${known})`,
    { state: "failed", error: unknown },
  );
  // A job that is running at this moment holds this lock.
  const late = Prisma.sql`"_id" IN (
    WITH late AS MATERIALIZED (
      SELECT "_id" FROM "_scheduled_functions" AS job
      WHERE "state" = 'pending' AND "cron" IS NOT NULL AND "scheduledTime" <= now() AND EXISTS (
        SELECT FROM "_scheduled_functions" AS later WHERE later."cron" = job."cron" AND later."state" = 'pending'
          AND later."scheduledTime" <= now() AND later."scheduledTime" > job."scheduledTime"
      )
    )
    SELECT "_id" FROM late WHERE pg_try_advisory_xact_lock(hashtextextended("_id"::text, 0)))`;
  await endJobs(prisma, late, { state: "canceled" }, "Passed over: its next time came before it could run");
}

/** Ends the jobs that run in this process, because the process stops. Returns these jobs. */
export async function giveUpRunning(): Promise<string[]> {
  const cut = [...running.values()];
  // A mutation is undone, and another process runs it again.
  const actions = cut.filter(({ kind }) => kind === "action");
  for (const { stop } of cut) stop();
  const failed = actions.map((attempt) => fail(isCurrent(attempt), "The server stopped before it had ended"));
  await Promise.allSettled(failed);
  return cut.map(({ job }) => `job ${job.id} (${job.name})`);
}
