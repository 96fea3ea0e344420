import { randomUUID } from "node:crypto";
import type { SuperJSONResult } from "superjson";
import { Prisma } from "~/generated/prisma/client";
import { maintenance, prisma } from "../database/database";
import { DatabaseUnavailable, isConflict, sqlState, uniqueViolation } from "../database/errors";
import { type ActionCtx, type MutationCtx, run } from "../functions/context";
import { createSystemContext, type RequestContext } from "../functions/request-context";
import {
  type AnyFunction,
  allFunctions,
  definition,
  functionNamed,
  type Kind,
  type ServerFunction,
} from "../functions/server-function";
import { transformer } from "../functions/transformer";
import { reportFailure } from "../log/scope";
import { storable } from "../log/text";
import { processWide, stopping } from "../process/process-wide";

/** Seconds that an action in progress counts as running after its process last said so. */
const leaseSeconds = 60;
/** Minutes that a job waits for a process that knows its function. */
const strangerMinutes = 15;
/** Milliseconds before a job that could not run is tried again: at first, and at most. */
const firstPause = 1_000;
const longestPause = 5 * 60_000;
/** Characters of an error that are kept. */
const maxError = 10_000;

export interface Job {
  id: string;
  name: string;
  args: unknown;
  attempts: number;
  cron: string | null;
}

/**
 * Pending jobs whose time has come, the longest due first: those that never ran, and apart from them those that could not
 * run before, so that a caller can keep the latter from taking every place. Jobs whose function this process does not
 * know are left to one that does.
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
    SELECT "_id"::text AS "id", "name", "args", "attempts", "cron" FROM "_scheduled_functions"
    WHERE "state" = 'pending' AND "scheduledTime" <= ${now} AND ${known} AND ${condition}
    ORDER BY "scheduledTime" LIMIT ${Math.max(0, limit)})`;
  return prisma.$queryRaw<Job[]>`
    ${due(Prisma.sql`"attempts" = 0`, limits.fresh)} UNION ALL
    ${due(Prisma.sql`"attempts" > 0 AND "retryAt" <= ${now}`, limits.retried)}`;
}

/**
 * When to look again, without being told of a new job: when the next is due, or when one that a dead process has is to be
 * put back; `null` when there is none. `isWaiting` says that some are due and wait, for a place or for another process.
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

/** What runs in this process, by the job's id. */
const running = processWide("running jobs", () => new Map<string, { name: string; kind: Kind; stop: () => void }>());

/**
 * Runs a job: a mutation exactly once, an action at most once. `false` when it did not run: another process has it, or it could
 * not run now and is retried later.
 */
export async function runJob(job: Job): Promise<boolean> {
  const fn = functionNamed(job.name);
  if (!fn) return false;
  const { kind } = fn[definition];
  const controller = new AbortController();
  const context: RequestContext = {
    ...createSystemContext(),
    requestId: job.id,
    jobId: job.id,
    signal: controller.signal,
    // A job has no sender who could call too often.
    limitRate: async () => undefined,
  };
  running.set(job.id, { name: job.name, kind, stop: () => controller.abort(new Error("The server stops")) });
  try {
    const ran = await run(context, claimed(job, fn), undefined, {
      name: job.name,
      outcomeOf: (ran) => (ran ? "ok" : null),
    });
    if (ran) await succeed(job);
    return ran;
  } catch (error) {
    // The database went away, or others were always faster: a mutation did not take effect, an action did not begin.
    const isMutation = kind === "mutation";
    if (error instanceof NotBegun || (isMutation && (error instanceof DatabaseUnavailable || isConflict(error)))) {
      await postpone(job, error);
      return false;
    }
    await fail(job, error);
    return true;
  } finally {
    running.delete(job.id);
  }
}

/** The function with the claim of its job before it. Its result is whether the job was free to run. */
function claimed(job: Job, fn: AnyFunction): ServerFunction<Kind, unknown, boolean> {
  const own = fn[definition];
  const args = () => transformer.deserialize(job.args as SuperJSONResult);
  switch (own.kind) {
    case "mutation":
      return {
        [definition]: { ...own, handle: (ctx: MutationCtx) => runMutationJob(job, ctx, () => own.handle(ctx, args())) },
      };
    case "action":
      return { [definition]: { ...own, handle: (ctx: ActionCtx) => runActionJob(job, () => own.handle(ctx, args())) } };
    case "query":
      throw new Error(`Cannot run ${job.name} as a job: it is a query`);
  }
}

/** The end of the job and the mutation's writes commit together, so that no crash can separate them. */
async function runMutationJob(job: Job, { db }: MutationCtx, handle: () => Promise<unknown>): Promise<boolean> {
  // The locks are those of this job, and of all runs of a recurring function.
  const ended = await db.$executeRaw`
    INSERT INTO "_ended_jobs" ("_id") SELECT ${job.id}::uuid
    WHERE pg_try_advisory_xact_lock(hashtextextended(${job.id}, 0))
      AND (${job.cron}::text IS NULL OR pg_try_advisory_xact_lock(hashtextextended(${`cron ${job.cron}`}, 0)))
    ON CONFLICT DO NOTHING`;
  if (ended === 0) return false;
  await handle();
  return true;
}

/** An action that could not be claimed, or did not begin. It is retried. */
class NotBegun extends Error {
  override name = "NotBegun";
}

/** The job is taken before it runs. After a crash it does not run again. */
async function runActionJob(job: Job, handle: () => Promise<unknown>): Promise<boolean> {
  const taking = { id: job.id, takenBy: randomUUID() };
  if (!(await take(job, taking))) return false;
  if (stopping.aborted) {
    await putBack(taking);
    return false;
  }
  const extending = setInterval(() => extendLease(job), (leaseSeconds * 1000) / 4);
  try {
    await handle();
  } finally {
    clearInterval(extending);
  }
  return true;
}

/** Records the success. `settle` repeats this after a crash or an outage of the database. */
async function succeed(job: Job): Promise<void> {
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions" SET "state" = 'success', "completedTime" = now()
    WHERE "_id" = ${job.id}::uuid AND "state" IN ('pending', 'inProgress')`.catch(leaveToSettle(job));
}

interface Taking {
  id: string;
  /** Names the attempt. */
  takenBy: string;
}

/** Of which it is not known whether they took the job: the answer was lost. They are put back when the database is back. */
const doubtful = processWide("doubtful takings", () => new Set<Taking>());

async function take(job: Job, taking: Taking): Promise<boolean> {
  const taken = await prisma.$executeRaw`
    UPDATE "_scheduled_functions"
    SET "state" = 'inProgress', "takenBy" = ${taking.takenBy}::uuid,
      "leaseUntil" = now() + make_interval(secs => ${leaseSeconds})
    WHERE "_id" = ${job.id}::uuid AND "state" = 'pending' AND (${job.cron}::text IS NULL OR NOT EXISTS (
      SELECT FROM "_scheduled_functions" AS other WHERE other."cron" = ${job.cron} AND other."state" = 'inProgress'
    ))`.catch((error) => {
    // Two runs of a recurring function that were taken at the same moment: the index lets one have it.
    if (sqlState(error) === uniqueViolation) return 0;
    if (!(error instanceof DatabaseUnavailable)) throw error;
    doubtful.add(taking);
    throw new NotBegun("The database went away while the job was taken", { cause: error });
  });
  return taken === 1;
}

async function putBack(taking: Taking): Promise<void> {
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions" SET "state" = 'pending', "takenBy" = NULL, "leaseUntil" = NULL
    WHERE "_id" = ${taking.id}::uuid AND "takenBy" = ${taking.takenBy}::uuid AND "state" = 'inProgress'`;
  doubtful.delete(taking);
}

function extendLease(job: Job): void {
  prisma.$executeRaw`
    UPDATE "_scheduled_functions" SET "leaseUntil" = now() + make_interval(secs => ${leaseSeconds})
    WHERE "_id" = ${job.id}::uuid AND "state" = 'inProgress'`.catch((error) =>
    console.error(`Could not extend the lease of job ${job.id}:`, error),
  );
}

/** Keeps a job that could not run for later: the longer, the more often it could not. */
async function postpone(job: Job, error: unknown): Promise<void> {
  const pause = Math.min(longestPause, firstPause * 2 ** Math.min(job.attempts, 20)) * (0.75 + Math.random() / 2);
  console.warn(
    `Job ${job.id} (${job.name}) could not run, will try again in ${Math.ceil(pause / 1000)} s: ${textOf(error)}`,
  );
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions"
    SET "attempts" = "attempts" + 1, "retryAt" = now() + make_interval(secs => ${pause / 1000}::float)
    WHERE "_id" = ${job.id}::uuid AND "state" IN ('pending', 'inProgress')`.catch(leaveToSettle(job));
}

async function fail(job: Job, error: unknown): Promise<void> {
  reportFailure(job.id, job.name, error);
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions" SET "state" = 'failed', "completedTime" = now(), "error" = ${textOf(error)}
    WHERE "_id" = ${job.id}::uuid AND "state" IN ('pending', 'inProgress')`;
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

const leaveToSettle = (job: Job) => (error: unknown) =>
  console.error(`Could not note how job ${job.id} ended, will do so later: ${textOf(error)}`);

/**
 * Finishes the jobs of processes that died. Mutations whose transaction had committed took effect; actions may have run
 * in part, and are not run again. Ends jobs that nobody knows the function of, and passes over runs of a recurring
 * function when a later one has come.
 */
export async function settle(): Promise<void> {
  for (const taking of doubtful) await putBack(taking);
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions" AS job SET "state" = 'success', "completedTime" = now()
    WHERE "state" = 'pending' AND "scheduledTime" <= now()
      AND EXISTS (SELECT FROM "_ended_jobs" AS ended WHERE ended."_id" = job."_id")`;
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions"
    SET "state" = 'failed', "completedTime" = now(), "error" = 'The process that ran it died'
    WHERE "state" = 'inProgress' AND "leaseUntil" < now()`;
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions"
    SET "state" = 'failed', "completedTime" = now(),
      "error" = 'No process has a function of this name; was it renamed, removed, or left out of src/functions/index.ts?'
    WHERE "state" = 'pending' AND "scheduledTime" < now() - make_interval(mins => ${strangerMinutes})
      AND "name" <> ALL(${[...allFunctions().keys()]})`;
  // One that runs at this moment has its lock.
  await prisma.$executeRaw`
    WITH late AS (
      SELECT "_id" FROM "_scheduled_functions" AS job
      WHERE "state" = 'pending' AND "cron" IS NOT NULL AND "scheduledTime" <= now() AND EXISTS (
        SELECT FROM "_scheduled_functions" AS later WHERE later."cron" = job."cron" AND later."state" = 'pending'
          AND later."scheduledTime" <= now() AND later."scheduledTime" > job."scheduledTime"
      )
    ), ended AS (
      INSERT INTO "_ended_jobs" ("_id") SELECT "_id" FROM late
      WHERE pg_try_advisory_xact_lock(hashtextextended("_id"::text, 0))
      ON CONFLICT DO NOTHING RETURNING "_id"
    )
    UPDATE "_scheduled_functions" SET "state" = 'canceled', "completedTime" = now(),
      "error" = 'Passed over: its next time came before it could run'
    WHERE "_id" IN (SELECT "_id" FROM ended)`;
}

/** Ends what runs in this process, which stops. Returns which jobs that were. */
export async function giveUpRunning(): Promise<string[]> {
  const cut = [...running];
  for (const [, { stop }] of cut) stop();
  const actions = cut.flatMap(([id, { kind }]) => (kind === "action" ? [id] : []));
  // A mutation is undone, and comes again elsewhere.
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions"
    SET "state" = 'failed', "completedTime" = now(), "error" = 'The server stopped before it had ended'
    WHERE "_id" = ANY(${actions}::uuid[]) AND "state" = 'inProgress'`.catch(() => undefined);
  return cut.map(([id, { name }]) => `job ${id} (${name})`);
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
