import { setTimeout as sleep } from "node:timers/promises";
import { processWide } from "../process-wide";
import { listen } from "./listen";
import { poll } from "./poll";

/** Called with the table that committed changes; with `null` when some may have been missed. */
export type Tell = (table: string | null) => void;

/** Milliseconds before connecting again. */
const pause = 500;

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
  while (listeners.size > 0) {
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
    await sleep(pause, undefined, { ref: false });
  }
  hearing.wanted = false;
}

const tell: Tell = (table) => {
  hearing.works = true;
  for (const listener of listeners) listener(table);
};
