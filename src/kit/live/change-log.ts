import { randomUUID } from "node:crypto";
import { processWide } from "../process/process-wide";
import { grace, isDeaf, onChange, onSilence } from "./listener";
import { nameForTabs, tableOfName } from "./reads";

/** A point in the history of changes that this process has received. */
interface Position {
  /** Changes are only known without a gap from one position to another of the same epoch. */
  epoch: string;
  /** How many changes came before. */
  count: number;
}

/** Changes within this many milliseconds are sent to tabs together. */
const burstMs = 50;
/** After this many milliseconds without a change, the stream sends a ping. */
const pingAfterMs = 15_000;

/** How many changes are kept one by one. Of older ones only the last change of each table is kept, so that the log is bounded. */
const maxRecent = 5_000;

const log = processWide("change log", () => ({
  /** `null` while this process receives no changes. */
  now: null as Position | null,
  lastChange: new Map<string, number>(),
  /** The names of the last changes, in order. */
  recent: [] as string[],
  waiting: new Set<() => void>(),
  following: false,
  telling: false,
}));

/** Returns the current position in the history, to catch up from later, or `null` when this process receives no changes. */
export const currentPosition = (): string | null => log.now && format(log.now);

/**
 * Yields the tables that change from `since` on, each time with the position that was reached. `tables` is `null` when any table
 * may have changed. A slow consumer receives the changes that it missed together, so that nothing piles up. Yields `null` as a
 * ping while nothing changes. Ends with `signal`, and when this process receives no changes any more.
 *
 * @param byValue whether the consumer knows the names of values, such as `files:….…`
 */
export async function* changesSince(since: string | null, signal: AbortSignal, byValue = false) {
  follow();
  let seen = since === null ? null : parse(since);
  while (!signal.aborted) {
    const { now } = log;
    if (now && seen?.epoch !== now.epoch) {
      seen = now;
      yield { position: format(now), tables: null };
    } else if (now && seen && seen.count < now.count) {
      const { count } = seen;
      seen = now;
      yield { position: format(now), tables: changedSince(count, byValue) };
    } else if (now === null) {
      await nextChange(signal, grace);
      // End the stream, so that the tab polls instead.
      if (log.now === null && isDeaf()) return;
    } else if (!(await nextChange(signal))) {
      yield null;
    }
  }
}

function changedSince(count: number, byValue: boolean): string[] {
  const changes = (log.now?.count ?? 0) - count;
  if (byValue && changes <= log.recent.length) return [...new Set(log.recent.slice(-changes))];
  return [...log.lastChange].flatMap(([table, number]) => (number > count ? [table] : []));
}

/** Resolves to `true` at the next change or at the end, and to `false` when nothing has changed for so long. */
function nextChange(signal: AbortSignal, waitMs = pingAfterMs): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isChange: boolean) => {
      clearTimeout(timer);
      log.waiting.delete(wake);
      signal.removeEventListener("abort", wake);
      resolve(isChange);
    };
    const wake = () => settle(true);
    const timer = setTimeout(settle, waitMs, false);
    log.waiting.add(wake);
    signal.addEventListener("abort", wake, { once: true });
  });
}

function follow(): void {
  if (log.following) return;
  log.following = true;
  onSilence(() => {
    log.now = null;
    for (const tell of [...log.waiting]) tell();
  });
  onChange((change) => {
    if (change === null || log.now === null) {
      log.now = { epoch: randomUUID(), count: 0 };
      log.lastChange.clear();
      log.recent = [];
    } else {
      const name = nameForTabs(change);
      log.now = { ...log.now, count: log.now.count + 1 };
      log.lastChange.set(tableOfName(name), log.now.count);
      log.recent.push(name);
      if (log.recent.length > 2 * maxRecent) log.recent = log.recent.slice(-maxRecent);
    }
    if (log.telling) return;
    log.telling = true;
    setTimeout(() => {
      log.telling = false;
      for (const tell of [...log.waiting]) tell();
    }, burstMs);
  });
}

const format = ({ epoch, count }: Position) => `${epoch}:${count}`;

function parse(position: string): Position {
  const [epoch = "", count] = position.split(":");
  return { epoch, count: Number(count) };
}
