import { setTimeout as sleep } from "node:timers/promises";
import { after } from "next/server";

/** Milliseconds that jobs may be away for a request to wait for them; later ones are for `/api/cron`. */
const nearby = 5_000;
/** Milliseconds in which they are started: within the time that a function of Vercel has by default, with its request. */
const budget = 20_000;

/**
 * On Vercel, where a process runs only while it answers: has what a request scheduled run when it has been answered.
 *
 * @param time when the job is due, in milliseconds since the epoch
 */
export function runAfterResponse(time: number): void {
  if (process.env.VERCEL !== "1" || time - Date.now() > nearby) return;
  try {
    after(async () => {
      await sleep(Math.max(0, time - Date.now()));
      // Only now: the runner runs functions, and functions schedule by this.
      await (await import("./runner")).runDueJobs(budget);
    });
  } catch {
    // Outside of a request, as in a job: whoever runs jobs looks for more of them.
  }
}
