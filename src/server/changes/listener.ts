import { setTimeout as sleep } from "node:timers/promises";
import { processWide } from "../process-wide";
import { backoff } from "./backoff";
import { listen } from "./listen";
import { poll } from "./poll";

/** Called with the table that committed changes; with `null` when some may have been missed. */
export type Tell = (table: string | null) => void;

/** Milliseconds after which what breaks has worked, and the count of failures starts anew. */
const steady = 60_000;

const listeners = processWide("change listeners", () => new Set<Tell>());
const hearing = processWide("change hearing", () => ({ wanted: false, works: false }));

/**
 * Hears of every change that commits, in this process or another on the database; `null` comes first. Returns what ends
 * it.
 */
export function onChange(listener: Tell): () => void {
  listeners.add(listener);
  if (hearing.works) listener(null);
  if (!hearing.wanted) {
    hearing.wanted = true;
    void hear();
  }
  return () => {
    listeners.delete(listener);
  };
}

/** For all listeners of the process, by whichever way works here, again whenever it breaks. */
async function hear(): Promise<void> {
  for (let failures = 0; listeners.size > 0; failures += 1) {
    const started = Date.now();
    try {
      if ((await listen(tell)) === "deaf") {
        console.warn(
          "DATABASE_URL delivers no notifications, as a transaction pooler does, so changes are polled for; put a " +
            "direct connection into DIRECT_DATABASE_URL to hear of them at once.",
        );
        await poll(tell);
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : error;
      console.error("Lost the connection that hears of changes, will connect again:", reason);
    }
    hearing.works = false;
    if (Date.now() - started > steady) failures = 0;
    await sleep(backoff(failures), undefined, { ref: false });
  }
  hearing.wanted = false;
}

const tell: Tell = (table) => {
  hearing.works = true;
  for (const listener of listeners) listener(table);
};
