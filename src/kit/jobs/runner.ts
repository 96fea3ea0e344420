import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { findUnlistedOwners, type Owners } from "../auth/owners";
import type { Kind } from "../functions/server-function";
import { isHearing, onChange } from "../live/listener";
import { watchModels } from "../live/watched";
import { withRequestId } from "../log/scope";
import { env, onVercel } from "../process/env";
import { processWide, stopping } from "../process/process-wide";
import { afterResponses } from "./after-response";
import { type CronJobs, checkCrons, ensureCronJobs, setCrons } from "./crons";
import { findDue, type Job, nextLook, runJob, settle } from "./jobs";

/** How many jobs of a kind run at once in one process. Each kind has its own places, so that long actions do not delay mutations. */
const concurrency = 8;
/** How many of them may be retries, so that new jobs do not wait for retries. */
const retriedAtOnce = { mutation: 2, action: 4 };
/** Milliseconds between two looks at the table while due jobs wait, or while no changes are received. */
const pollInterval = 5_000;
/** Milliseconds between two looks for jobs of processes that died. */
const settleInterval = 1_000;
/**
 * Milliseconds between two looks otherwise, because a notification can be lost. The time is long so that databases can
 * sleep.
 */
const idleInterval = 10 * 60_000;

/** The places of one kind of function in a process. */
class Places {
  readonly running = new Map<string, { job: Job; done: Promise<void> }>();
  /** Jobs that other processes have, or that could not run, and when to look at them again. */
  readonly elsewhere = new Map<string, number>();

  constructor(
    /** `null` stands for functions of every kind. */
    private readonly kind: Kind | null,
    private readonly execute: (job: Job) => Promise<boolean>,
  ) {}

  private get retriedAtOnce(): number {
    return this.kind === "action" ? retriedAtOnce.action : retriedAtOnce.mutation;
  }

  /** Starts what is due, as far as there are places. Returns how many jobs it started. */
  async fill(now: Date): Promise<number> {
    for (const [id, time] of this.elsewhere) if (time <= now.getTime()) this.elsewhere.delete(id);
    // Reads this many more jobs, because they may be among the due ones and cannot be started.
    const known = this.running.size + this.elsewhere.size;
    const due = await findDue(this.kind, now, { fresh: concurrency + known, retried: this.retriedAtOnce + known });
    let started = 0;
    for (const job of due) {
      if (this.running.size >= concurrency || stopping.aborted) break;
      if (this.running.has(job.id) || this.elsewhere.has(job.id)) continue;
      if (job.isRetry && this.retried() >= this.retriedAtOnce) continue;
      this.start(job);
      started++;
    }
    return started;
  }

  private retried(): number {
    return [...this.running.values()].filter(({ job }) => job.isRetry).length;
  }

  private start(job: Job): void {
    const later = () => this.elsewhere.set(job.id, Date.now() + pollInterval);
    const done = this.execute(job)
      .then((ran) => void (ran || later()))
      .catch((error) => {
        later();
        console.error(`Job ${job.id} could not run now, will try again:`, error);
      })
      .finally(() => this.running.delete(job.id));
    this.running.set(job.id, { job, done });
  }

  get ends(): Promise<void>[] {
    return [...this.running.values()].map(({ done }) => done);
  }
}

const placesOfEachKind = () => (["mutation", "action"] as const).map((kind) => new Places(kind, runJob));

/**
 * Runs jobs in a long-lived process. It looks for jobs when one is scheduled, when one is due, and regularly. Any number of
 * processes may do so. Returns a function that stops it, and resolves when the running jobs have ended.
 *
 * @param executeElsewhere runs a due job in another part of the process, which knows the functions
 */
export function startRunner(executeElsewhere?: (job: Job) => Promise<boolean>): () => Promise<void> {
  const places = executeElsewhere ? [new Places(null, executeElsewhere)] : placesOfEachKind();
  let stopped = false;
  let looking: Promise<void> | undefined;
  let lookAgain = false;
  let timer: NodeJS.Timeout | undefined;

  let settled = 0;

  const look = async () => {
    // While jobs keep ending, one look follows another.
    if (Date.now() - settled >= settleInterval) {
      await settle();
      settled = Date.now();
    }
    await ensureCronJobs();
    const now = new Date();
    for (const some of places) {
      const before = new Set(some.ends);
      await some.fill(now);
      // A free place may be what a due job waits for.
      for (const end of some.ends) if (!before.has(end)) end.then(wake);
    }
    // Jobs that are due and did not run wait for a free place, which wakes us, or for the next poll.
    const { next, isWaiting } = await nextLook(now);
    const longest = isWaiting || !isHearing() ? pollInterval : idleInterval;
    timer = setTimeout(wake, Math.min(next ? Math.max(100, next.getTime() - Date.now()) : longest, longest));
  };

  function wake(): void {
    if (stopped) return;
    if (looking) {
      lookAgain = true;
      return;
    }
    clearTimeout(timer);
    looking = look()
      .catch((error) => {
        console.error("Could not look for scheduled functions, will try again:", error);
        timer = setTimeout(wake, pollInterval);
      })
      .finally(() => {
        looking = undefined;
        if (!lookAgain) return;
        lookAgain = false;
        wake();
      });
  }

  const unsubscribe = onChange((table) => {
    if (table === null || table === "_scheduled_functions") wake();
  });
  wake();

  return async () => {
    stopped = true;
    unsubscribe();
    clearTimeout(timer);
    await looking;
    await Promise.all(places.flatMap((some) => some.ends));
  };
}

/**
 * Runs what is due, for hosts without long-lived processes; stops starting jobs after `budget` milliseconds. Returns
 * how many it started.
 */
export async function runDueJobs(budget: number): Promise<number> {
  const deadline = Date.now() + budget;
  const places = placesOfEachKind();
  let started = 0;
  await settle();
  await ensureCronJobs();
  while (Date.now() < deadline && !stopping.aborted) {
    for (const some of places) started += await some.fill(new Date());
    const ends = places.flatMap((some) => some.ends);
    if (ends.length === 0) break;
    await Promise.race(ends);
  }
  await Promise.all(places.flatMap((some) => some.ends));
  return started;
}

/**
 * Makes the process run what its requests schedule, with the functions that serve the requests. Vercel needs this, because
 * the start loads no functions there.
 */
export function runJobsAfterResponses(crons: CronJobs): void {
  checkCrons(crons);
  setCrons(crons);
  afterResponses.run = runDueJobs;
}

/** Jobs are started within this many milliseconds. They may end later. */
const budget = 45_000;

/** Serves `GET /api/cron` with `Authorization: Bearer $CRON_SECRET`: runs the due jobs, and answers how many it started. */
export function serveCron(crons: CronJobs, owners: Owners = {}) {
  return withRequestId(async (request) => {
    if (!isAuthorized(request.headers.get("authorization"))) {
      return Response.json(
        { code: "UNAUTHORIZED", message: "Send the CRON_SECRET as a Bearer token" },
        { status: 401 },
      );
    }
    setCrons(crons);
    // Elsewhere the start does this, because it loads the app there.
    const isDevelopment = process.env.NODE_ENV === "development";
    if (isDevelopment || onVercel()) await watchModels();
    if (isDevelopment) await explain(crons, owners);
    return Response.json({ ran: await runDueJobs(budget) });
  });
}

/** In development the route runs the jobs, because it is reloaded when a function changes. */
export async function runInRoute(): Promise<boolean> {
  const headers = { authorization: `Bearer ${secret()}` };
  const response = await fetch(`http://localhost:${process.env.PORT ?? 3000}/api/cron`, { headers });
  if (!response.ok) throw new Error(`/api/cron answers ${response.status}`);
  return true;
}

/** The secret, which the process makes for itself in development. */
const secret = () =>
  env.CRON_SECRET ??
  (process.env.NODE_ENV === "development" ? processWide("development cron secret", randomUUID) : undefined);

/** Whether the request has the secret. Without the setting, no request has it. */
function isAuthorized(header: string | null): boolean {
  const expected = secret();
  if (!expected || header === null) return false;
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(header), hash(`Bearer ${expected}`));
}

const told = new Set<string>();

/** Warns once, in development, about mistakes that keep production from starting, and about settings without an effect. */
async function explain(crons: CronJobs, owners: Owners): Promise<void> {
  const problems: string[] = [];
  try {
    checkCrons(crons);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  const unlisted = await findUnlistedOwners(owners);
  if (unlisted.length > 0) {
    problems.push(
      `${unlisted.join(", ")} looks like a column that says whose a row is. When a visitor signs up, such rows become the ` +
        "account's only if src/kit.ts lists the column.",
    );
  }
  for (const problem of problems) {
    if (!told.has(problem)) console.warn(problem);
    told.add(problem);
  }
}
