import { setTimeout as sleep } from "node:timers/promises";
import { directDatabaseUrl } from "../database/database";
import { processWide } from "../process/process-wide";
import { backoff } from "./backoff";
import { listen } from "./listen";
import { poll } from "./poll";

/** Called with the table that committed changes; with `null` when some may have been missed. */
export type Tell = (table: string | null) => void;

/** Milliseconds after which what breaks has worked, and the count of failures starts anew. */
const steady = 60_000;

/** Milliseconds in which a connection that broke may come back without anybody being told. */
export const grace = 10_000;

/** Milliseconds between two looks at the connection; longer while no page waits, so that a database may sleep. */
const heartbeat = 30_000;
const idleHeartbeat = 10 * 60_000;

/** Milliseconds for which changes are polled for before listening is tried again. */
const retryAfter = 60_000;

const silences = processWide("change silences", () => new Set<() => void>());
const listeners = processWide("change listeners", () => new Set<Tell>());
const hearing = processWide("change hearing", () => ({
  wanted: false,
  works: false,
  silentSince: 0,
  /** How many need changes at once. */
  awaiting: 0,
  /** Has the connection looked at. */
  look: null as (() => void) | null,
}));

/**
 * Hears of every change that commits, in this process or another on the database; `null` comes first. Returns what ends
 * it.
 */
export function onChange(listener: Tell): () => void {
  listeners.add(listener);
  if (hearing.works) listener(null);
  if (!hearing.wanted) {
    hearing.wanted = true;
    hearing.silentSince = Date.now();
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
      if ((await listen(tell, nextHeartbeat)) === "deaf") {
        console.warn(
          "DATABASE_URL delivers no notifications, as a transaction pooler does, so changes are polled for; put a " +
            "direct connection into DIRECT_DATABASE_URL to hear of them at once.",
        );
        await poll(tell);
      }
    } catch (error) {
      explain(error);
    }
    const hasWorked = hearing.works;
    stopHearing();
    // The way that tells at once may be closed for good: an address that cannot be reached from here.
    if (!hasWorked) await pollForAWhile();
    if (Date.now() - started > steady) failures = 0;
    await sleep(backoff(failures), undefined, { ref: false });
  }
  hearing.wanted = false;
}

/** Resolves when the connection is to be looked at: one that was cut off says nothing. */
async function nextHeartbeat(wait: (milliseconds: number) => Promise<unknown>): Promise<void> {
  const awaited = new Promise<void>((resolve) => {
    hearing.look = resolve;
  });
  await Promise.race([wait(hearing.awaiting > 0 ? heartbeat : idleHeartbeat), awaited]);
}

/** Polls until it is time to try again to listen, or polling breaks too. */
async function pollForAWhile(): Promise<void> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), retryAfter);
  timer.unref();
  try {
    await poll(tell, over.signal);
  } catch (error) {
    if (!over.signal.aborted) explain(error);
  } finally {
    clearTimeout(timer);
    stopHearing();
  }
}

let explained = "";

/** Says a reason once, until there is another. */
function explain(error: unknown): void {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const reason = errors.map((each) => (each instanceof Error ? each.message : String(each))).join(", ");
  if (reason === explained) return;
  explained = reason;
  const url = directDatabaseUrl();
  const direct = url && new URL(url).hostname;
  const advice = direct
    ? `; DIRECT_DATABASE_URL names ${direct}: can it be reached from here? Some hosts have an IPv6 address only. Until then ` +
      "changes are polled for through DATABASE_URL"
    : "";
  console.error(`Lost the connection that hears of changes, will connect again: ${reason}${advice}`);
}

const tell: Tell = (table) => {
  hearing.works = true;
  for (const listener of listeners) listener(table);
};

/** Lets all know that from now on changes may be missed. */
function stopHearing(): void {
  if (!hearing.works) return;
  hearing.works = false;
  hearing.silentSince = Date.now();
  for (const silence of silences) silence();
}

/** Whether changes are heard of at the moment. */
export const isHearing = (): boolean => hearing.works;

/**
 * Says that somebody needs changes at once, until what it returns is called: a page does. The runner of jobs looks by itself
 * now and then.
 */
export function awaitChanges(): () => void {
  hearing.awaiting += 1;
  hearing.look?.();
  return () => {
    hearing.awaiting -= 1;
  };
}

/** Whether nothing has been heard of for so long that who waits for changes should know. */
export const isDeaf = (): boolean => hearing.wanted && !hearing.works && Date.now() - hearing.silentSince > grace;

/** Has `silence` called whenever changes are no longer heard of, until what it returns is called. */
export function onSilence(silence: () => void): () => void {
  silences.add(silence);
  return () => void silences.delete(silence);
}
