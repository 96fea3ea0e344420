import { randomUUID } from "node:crypto";
import { processWide } from "../process/process-wide";
import { grace, isDeaf, onChange, onSilence } from "./listener";
import { nameForTabs, tableOfName } from "./reads";

/** A point in the history of changes, as this process has heard them. */
interface Position {
  /** Changes are only known without a gap from one position to another of the same epoch. */
  epoch: string;
  /** Changes heard before. */
  count: number;
}

/** Milliseconds in which changes that come together are told together. */
const burst = 50;
/** Milliseconds of silence after which a word is said. */
const silence = 15_000;

/** Changes that are kept one by one. Of older ones it is only known when each table changed last, so that the log never grows. */
const maxRecent = 5_000;

const log = processWide("change log", () => ({
  /** `null` while changes are not heard of. */
  now: null as Position | null,
  lastChange: new Map<string, number>(),
  /** The last changes, in order; with their values, where the table has `liveBy`. */
  recent: [] as string[],
  waiting: new Set<() => void>(),
  following: false,
  telling: false,
}));

/** Where the history is now, to catch up from later; `null` when this process does not listen. */
export const currentPosition = (): string | null => log.now && format(log.now);

/**
 * Tells which tables change from `since` on, each time with the position reached; `null` instead of tables when any may
 * have. Changes that the consumer is too slow for are told together, so that nothing piles up. Yields `null` now and
 * then while nothing changes. Ends with `signal`, and when changes are not heard of any more.
 *
 * @param byValue whether the consumer knows names such as `files:…`, of changes to the rows with one value
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
      // Whoever waits is to know that nothing would be told.
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

/** Whether there is one, or the end; otherwise nothing has changed for a while. */
function nextChange(signal: AbortSignal, patience = silence): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isChange: boolean) => {
      clearTimeout(timer);
      log.waiting.delete(wake);
      signal.removeEventListener("abort", wake);
      resolve(isChange);
    };
    const wake = () => settle(true);
    const timer = setTimeout(settle, patience, false);
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
    }, burst);
  });
}

const format = ({ epoch, count }: Position) => `${epoch}:${count}`;

function parse(position: string): Position {
  const [epoch = "", count] = position.split(":");
  return { epoch, count: Number(count) };
}
