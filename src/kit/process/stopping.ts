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

/**
 * Aborted when the process is asked to end. Next.js then takes no new requests, and exits when those under way have
 * ended: what would go on for ever has to end by this signal. What is cut off after `STOP_TIMEOUT` leaves nothing behind:
 * uploads are listed until they are whole, and the sweeper collects their bytes.
 */
export const stopping: AbortSignal = processWide("stopping", () => {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const stop = () => {
    controller.abort();
    const finished = Promise.allSettled([...works].map((work) => work.finish()));
    const exit = process.exit.bind(process);
    // Next.js ends the process when its requests have ended, and knows of no other work.
    const exitLater = (code?: number | string | null) => void finished.then(() => exit(code));
    process.exit = exitLater as typeof process.exit;
    setTimeout(async () => {
      const unfinished = await Promise.all([...works].map((work) => work.giveUp()));
      console.error(
        [`Work under way did not end in ${env.STOP_TIMEOUT / 1000} s; cutting it off`, ...unfinished.flat()].join(
          "\n  ",
        ),
      );
      exit(1);
    }, env.STOP_TIMEOUT).unref();
  };
  // The processes of a build have no work to finish, nor settings.
  if (process.env.NEXT_PHASE === "phase-production-build") return controller.signal;
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  return controller.signal;
});
