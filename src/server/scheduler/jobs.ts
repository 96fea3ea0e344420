import superjson, { type SuperJSONResult } from "superjson";
import { type Caller, createSystemCaller } from "../caller";
import { observe } from "../calls/observe";
import { reportFailure } from "../calls/report-failure";
import { isConflict, retryOnConflict } from "../conflict";
import { actionCtx, mutationCtx } from "../context";
import { prisma } from "../database";
import { DatabaseUnavailable } from "../database-unavailable";
import { functionNamed } from "../registry";
import { type AnyFunction, definition } from "../server-function";
import { transaction } from "../transaction";

/** Seconds that an action in progress counts as running after its process last said so. */
export const leaseSeconds = 60;

export interface Job {
  id: string;
  name: string;
  args: unknown;
}

/** Pending jobs whose time has come, the longest due first. */
export async function findDue(now: Date, limit: number): Promise<Job[]> {
  return prisma.scheduledFunction.findMany({
    where: { state: "pending", scheduledTime: { lte: now } },
    orderBy: { scheduledTime: "asc" },
    select: { id: true, name: true, args: true },
    take: limit,
  });
}

/** When the first of the jobs that are not due yet will be, or `null` when there is none. */
export async function nextDueTime(now: Date): Promise<Date | null> {
  const next = await prisma.scheduledFunction.findFirst({
    where: { state: "pending", scheduledTime: { gt: now } },
    orderBy: { scheduledTime: "asc" },
    select: { scheduledTime: true },
  });
  return next?.scheduledTime ?? null;
}

/** Runs a job: a mutation exactly once, an action at most once (SPEC §6). `false` when another process has it. */
export async function runJob(job: Job): Promise<boolean> {
  const fn = functionNamed(job.name);
  if (!fn) {
    await fail(job, new Error(`There is no function ${job.name}; was it renamed or removed?`));
    return true;
  }
  const caller: Caller = { ...createSystemCaller(), requestId: job.id, jobId: job.id };
  const args = superjson.deserialize(job.args as SuperJSONResult);
  try {
    return await observe(
      { requestId: job.id, name: job.name, kind: fn[definition].kind },
      () => (isMutation(fn) ? runMutationJob(job, fn, caller, args) : runActionJob(job, fn, caller, args)),
      (ran) => (ran ? "ok" : null),
    );
  } catch (error) {
    // The database went away, or others were always faster: the job is still pending, and comes again.
    if (isMutation(fn) && (error instanceof DatabaseUnavailable || isConflict(error))) throw error;
    await fail(job, error);
    return true;
  }
}

type Mutation = Extract<AnyFunction, { [definition]: { kind: "mutation" } }>;

const isMutation = (fn: AnyFunction): fn is Mutation => fn[definition].kind === "mutation";

/** That the job ended and what the mutation writes commit together, so that no crash can part them. */
async function runMutationJob(job: Job, fn: Mutation, caller: Caller, args: unknown): Promise<boolean> {
  const ran = await retryOnConflict(job.name, (timeout) =>
    transaction(async (current) => {
      const ours = await current.run(
        (client) => client.$executeRaw`
          INSERT INTO "_ended_jobs" ("_id") SELECT ${job.id}::uuid
          WHERE pg_try_advisory_xact_lock(hashtextextended(${job.id}, 0))
          ON CONFLICT DO NOTHING`,
      );
      if (ours === 0) return false;
      await fn[definition].handle(mutationCtx(caller, current), args);
      return true;
    }, timeout),
  );
  if (ran) await succeed(job);
  return ran;
}

/** A crash before this is made up for by `settle`. */
async function succeed(job: Job): Promise<void> {
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions" SET "state" = 'success', "completedTime" = now()
    WHERE "_id" = ${job.id}::uuid AND "state" IN ('pending', 'inProgress')`;
}

/** Taken before it runs: what a crash interrupts is not run again. */
async function runActionJob(job: Job, fn: AnyFunction, caller: Caller, args: unknown): Promise<boolean> {
  if (fn[definition].kind !== "action")
    throw new Error(`Cannot run ${job.name} as a job: it is a ${fn[definition].kind}`);
  const taken = await prisma.$executeRaw`
    UPDATE "_scheduled_functions"
    SET "state" = 'inProgress', "leaseUntil" = now() + make_interval(secs => ${leaseSeconds})
    WHERE "_id" = ${job.id}::uuid AND "state" = 'pending'`;
  if (taken === 0) return false;
  const extending = setInterval(() => extendLease(job), (leaseSeconds * 1000) / 4);
  try {
    await (fn as Extract<AnyFunction, { [definition]: { kind: "action" } }>)[definition].handle(
      actionCtx(caller),
      args,
    );
  } finally {
    clearInterval(extending);
  }
  await succeed(job);
  return true;
}

function extendLease(job: Job): void {
  prisma.$executeRaw`
    UPDATE "_scheduled_functions" SET "leaseUntil" = now() + make_interval(secs => ${leaseSeconds})
    WHERE "_id" = ${job.id}::uuid AND "state" = 'inProgress'`.catch((error) =>
    console.error(`Could not extend the lease of job ${job.id}:`, error),
  );
}

async function fail(job: Job, error: unknown): Promise<void> {
  reportFailure(job.id, job.name, error);
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions" SET "state" = 'failed', "completedTime" = now(), "error" = ${String(error)}
    WHERE "_id" = ${job.id}::uuid AND "state" IN ('pending', 'inProgress')`;
}

/**
 * Finishes the jobs of processes that died. Mutations whose transaction had committed took effect; actions may have run
 * in part, and are not run again.
 */
export async function settle(): Promise<void> {
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions" AS job SET "state" = 'success', "completedTime" = now()
    WHERE "state" = 'pending' AND "scheduledTime" <= now()
      AND EXISTS (SELECT FROM "_ended_jobs" AS ended WHERE ended."_id" = job."_id")`;
  await prisma.$executeRaw`
    UPDATE "_scheduled_functions"
    SET "state" = 'failed', "completedTime" = now(), "error" = 'The process that ran it died'
    WHERE "state" = 'inProgress' AND "leaseUntil" < now()`;
}

/** Forgets jobs that ended a week ago. Returns how many. */
export async function forgetOld(): Promise<number> {
  const forgotten = await prisma.$executeRaw`
    DELETE FROM "_scheduled_functions" WHERE "completedTime" < now() - interval '7 days'`;
  await prisma.$executeRaw`
    DELETE FROM "_ended_jobs" AS ended
    WHERE NOT EXISTS (SELECT FROM "_scheduled_functions" AS job WHERE job."_id" = ended."_id")`;
  return forgotten;
}
