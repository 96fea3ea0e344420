import { setTimeout as sleep } from "node:timers/promises";
import { onVercel } from "../process/env";
import { finishAfterResponse, processWide } from "../process/process-wide";

/** Milliseconds that jobs may be away for a request to wait for them; later ones are for `/api/cron`. */
const nearby = 5_000;
/** Milliseconds in which they are started: within the time that a function of Vercel has by default, with its request. */
const budget = 20_000;

/** The runner, which the start gives. It loads functions, which those who schedule must not. */
export const afterResponses = processWide("after responses", () => ({
  run: async (_budget: number): Promise<number> => 0,
}));

/**
 * On Vercel, where a process runs only while it answers: has what a request scheduled run when it has been answered.
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
