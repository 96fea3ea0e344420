import { setMaxListeners } from "node:events";
import { env } from "./env";

const scope = globalThis as typeof globalThis & { storageKit?: Record<string, unknown> };
scope.storageKit ??= {};
const held = scope.storageKit;

/**
 * Creates a thing once for the process. A module-level constant is not enough: Next.js bundles App Router, `pages/api` and
 * instrumentation separately, and reloads modules in development. Errors that one bundle throws and another checks with
 * `instanceof` need this for their classes.
 */
export function processWide<T>(name: string, create: () => T): T {
  if (!(name in held)) held[name] = create();
  return held[name] as T;
}

/** Work that must finish before the process ends. */
interface Work {
  /** Called when the process is asked to end. Settles when the work is done. */
  finish(): Promise<unknown>;
  /** Called when that takes too long. Returns descriptions of what was not finished; it may take a second. */
  giveUp(): Promise<string[]>;
}

const works = processWide("work before the end", () => new Set<Work>());

/** Keeps the process from ending before this work is done or `STOP_TIMEOUT` is over. */
export function finishBeforeExit(work: Work): void {
  works.add(work);
}

const lasts = processWide("last sent", () => new Set<() => Promise<unknown>>());

/** Sends what is left at the very end of the process, after all other work. */
export const sendLast = (send: () => Promise<unknown>): void => void lasts.add(send);

const sendRest = () => Promise.allSettled([...lasts].map((send) => send()));

const controller = processWide("stopping", () => {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  return stop;
});

/** Aborted when the process is asked to end. Endless work stops on this signal. */
export const stopping: AbortSignal = controller.signal;

/**
 * Ends the process in order when it is asked to. Next.js then takes no new requests, and exits when the running ones have
 * ended. Work that is cut off after `STOP_TIMEOUT` leaves nothing behind: unfinished uploads are listed, and garbage
 * collection deletes their bytes.
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
  // Next.js ends the process when its requests have ended, without waiting for other work.
  const exitLater = (code?: number | string | null) => void finished.then(sendRest).then(() => exit(code));
  process.exit = exitLater as typeof process.exit;
  setTimeout(async () => {
    const unfinished = await Promise.all([...works].map((work) => work.giveUp()));
    const late = `Work under way did not end in ${env.STOP_TIMEOUT / 1000} s; cutting it off`;
    console.error([late, ...unfinished.flat()].join("\n  "));
    exit(1);
  }, env.STOP_TIMEOUT).unref();
}

/** Does `work`, and keeps the process running for it on Vercel, which suspends a process when its requests are answered. */
export async function finishAfterResponse(work: () => Promise<unknown>): Promise<void> {
  const { waitUntil } = await import("@vercel/functions");
  waitUntil(work());
}
