import { setMaxListeners } from "node:events";
import { env } from "./env";
import { processWide } from "./process-wide";

/** What the end of the process waits for. */
export interface Work {
  /** Settles when it is done. Asked for when the process is to end. */
  finish(): Promise<unknown>;
  /** Called when it takes too long. Returns what was not finished, in words; it may take a second. */
  giveUp(): Promise<string[]>;
}

const works = processWide("work before the end", () => new Set<Work>());

/** Lets the process end only when this work is done, or `STOP_TIMEOUT` is over. */
export function finishBeforeExit(work: Work): void {
  works.add(work);
}

const controller = processWide("stopping", () => {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  return stop;
});

/** Aborted when the process is asked to end: what would go on for ever ends by this signal. */
export const stopping: AbortSignal = controller.signal;

/**
 * Has the process end in order when it is asked to. Next.js then takes no new requests, and exits when those under way have
 * ended. What is cut off after `STOP_TIMEOUT` leaves nothing behind: uploads are listed until they are whole, and the sweeper
 * collects their bytes.
 */
export function endInOrder(): void {
  processWide("end in order", () => {
    process.once("SIGTERM", stop);
    process.once("SIGINT", stop);
    return true;
  });
}

function stop(): void {
  controller.abort();
  const finished = Promise.allSettled([...works].map((work) => work.finish()));
  const exit = process.exit.bind(process);
  // Next.js ends the process when its requests have ended, and knows of no other work.
  const exitLater = (code?: number | string | null) => void finished.then(() => exit(code));
  process.exit = exitLater as typeof process.exit;
  setTimeout(async () => {
    const unfinished = await Promise.all([...works].map((work) => work.giveUp()));
    const late = `Work under way did not end in ${env.STOP_TIMEOUT / 1000} s; cutting it off`;
    console.error([late, ...unfinished.flat()].join("\n  "));
    exit(1);
  }, env.STOP_TIMEOUT).unref();
}
