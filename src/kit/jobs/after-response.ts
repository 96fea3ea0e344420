import { setTimeout as sleep } from "node:timers/promises";
import { onVercel } from "../process/env";
import { finishAfterResponse, processWide } from "../process/process-wide";

/** A request waits for jobs that are due within this many milliseconds. `/api/cron` runs later ones. */
const nearby = 5_000;
/**
 * Milliseconds within which these jobs are started. Together with the request, this stays below Vercel's default time limit.
 */
const budget = 20_000;

/** Runs the jobs. The start sets it, because it loads the functions, and modules that schedule jobs must not load them. */
export const afterResponses = processWide("after responses", () => ({
  run: async (_budget: number): Promise<number> => 0,
}));

/**
 * On Vercel, a process runs only while it answers requests. This runs what a request scheduled once its response is sent.
 *
 * @param time when the job is due, in milliseconds since the epoch
 */
export function runAfterResponse(time: number): void {
  if (!onVercel() || time - Date.now() > nearby) return;
  void finishAfterResponse(async () => {
    await sleep(Math.max(0, time - Date.now()));
    await afterResponses.run(budget);
  });
}
