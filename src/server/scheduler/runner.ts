import { onChange } from "../changes/listener";
import { ensureCronJobs } from "./crons";
import { findDue, type Job, nextDueTime, runJob, settle } from "./jobs";

/** Jobs that run at once in one process. */
const concurrency = 8;
/** Milliseconds between two looks at the table where nothing tells of a new job. */
const pollInterval = 5_000;

/**
 * Runs jobs in a process that stays: woken when one is scheduled, when one is due, and now and then. Any number of
 * processes may do so. Returns what stops it, once the jobs under way have ended.
 *
 * @param execute runs a job that is due
 */
export function startRunner(execute = runJob): () => Promise<void> {
  const running = new Map<string, Promise<void>>();
  /** Jobs that other processes have, and when to try them again, since a process may die. */
  const elsewhere = new Map<string, number>();
  let stopped = false;
  let looking: Promise<void> | undefined;
  let lookAgain = false;
  let timer: NodeJS.Timeout | undefined;

  const run = (job: Job) => {
    const done = execute(job)
      .then((ran) => {
        if (!ran) elsewhere.set(job.id, Date.now() + pollInterval);
      })
      .catch((error) => console.error(`Job ${job.id} could not run now, will try again:`, error))
      .finally(() => running.delete(job.id));
    running.set(job.id, done);
    // A free place may be what a due job waits for.
    done.then(wake);
  };

  const look = async () => {
    await settle();
    await ensureCronJobs();
    const now = new Date();
    for (const [id, time] of elsewhere) if (time <= now.getTime()) elsewhere.delete(id);
    const due = await findDue(now, concurrency + running.size + elsewhere.size);
    const waiting = due.filter(({ id }) => !running.has(id) && !elsewhere.has(id));
    for (const job of waiting.slice(0, concurrency - running.size)) run(job);
    // Jobs that are due and did not run wait for a free place, which wakes us, or for the next poll.
    const next = await nextDueTime(now);
    timer = setTimeout(wake, Math.min(next ? next.getTime() - Date.now() : pollInterval, pollInterval));
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
    await Promise.all(running.values());
  };
}

/**
 * Runs what is due, for hosts without long-lived processes; stops starting jobs after `budget` milliseconds. Returns
 * how many it started.
 */
export async function runDueJobs(budget: number): Promise<number> {
  const deadline = Date.now() + budget;
  const started = new Set<string>();
  await settle();
  await ensureCronJobs();
  while (Date.now() < deadline) {
    const due = (await findDue(new Date(), concurrency + started.size))
      .filter(({ id }) => !started.has(id))
      .slice(0, concurrency);
    if (due.length === 0) break;
    for (const { id } of due) started.add(id);
    const outcomes = await Promise.allSettled(due.map(runJob));
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") console.error("A job could not run now, will try again:", outcome.reason);
    }
  }
  return started.size;
}
