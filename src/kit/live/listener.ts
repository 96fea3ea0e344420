import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { directDatabaseUrl, maintenance, pool } from "../database/database";
import { env } from "../process/env";
import { processWide } from "../process/process-wide";

/** Called with the table that committed changes; with `null` when some may have been missed. */
type Tell = (table: string | null) => void;

/** A connection that lasted this many milliseconds has worked, and the next failure counts as the first. */
const steadyMs = 60_000;

/** A connection that broke has this many milliseconds to come back before the streams of tabs end. */
export const grace = 10_000;

/**
 * How often the process looks for changes while a page is open. It has to, because other programs do not announce their
 * changes.
 */
const lookEveryMs = 500;
/** How often the process looks while no page is open, so that a database may sleep. */
const idleLookMs = 10 * 60_000;
/** The least time between two looks that announcements cause. */
const lookPauseMs = 20;
/** How long notes of changes are kept at least. A process that looks less often may have missed some. */
const keepMs = 60_000;

/** Milliseconds for which changes are polled for before listening is tried again. */
const retryAfter = 60_000;

const silences = processWide("change silences", () => new Set<() => void>());
const listeners = processWide("change listeners", () => new Set<Tell>());
const hearing = processWide("change hearing", () => ({
  wanted: false,
  works: false,
  silentSince: 0,
  /** How many callers of `awaitChanges` there are. */
  awaiting: 0,
  /** Whether there may be something to see. */
  isDue: false,
  /** Ends the wait for the next look. */
  wake: null as (() => void) | null,
}));

/**
 * Calls `listener` for every change that commits, in this process or another on the database, and first with `null`. Returns a
 * function that ends this.
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

/** Receives changes for all listeners of the process, in the way that works here. Starts again whenever it breaks. */
async function hear(): Promise<void> {
  for (let failures = 0; listeners.size > 0; failures += 1) {
    const started = Date.now();
    try {
      if ((await listen()) === "deaf") {
        console.warn(
          "DATABASE_URL delivers no notifications, because it leads through a transaction pooler, so each process looks for " +
            "changes twice a second. Set DIRECT_DATABASE_URL to a direct connection.",
        );
        await follow(pool, everyNowAndThen);
      }
    } catch (error) {
      explain(error);
    }
    const hasWorked = hearing.works;
    stopHearing();
    // Listening may never work here, for example when the address of the direct connection cannot be reached.
    if (!hasWorked) await pollForAWhile();
    if (Date.now() - started > steadyMs) failures = 0;
    await sleep(backoff(failures), undefined, { ref: false });
  }
  hearing.wanted = false;
}

/** Polls until it is time to try again to listen, or polling breaks too. */
async function pollForAWhile(): Promise<void> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), retryAfter);
  timer.unref();
  try {
    await follow(pool, everyNowAndThen, over.signal);
  } catch (error) {
    if (!over.signal.aborted) explain(error);
  } finally {
    clearTimeout(timer);
    stopHearing();
  }
}

let explained = "";

/** Logs a reason once, until there is another. */
function explain(error: unknown): void {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const reason = errors.map((each) => (each instanceof Error ? each.message : String(each))).join(", ");
  if (reason === explained) return;
  explained = reason;
  const url = directDatabaseUrl();
  const direct = url && new URL(url).hostname;
  const advice = direct
    ? `; the direct connection leads to ${direct}: can it be reached from here? Some hosts have an IPv6 address only. Until then ` +
      "changes are polled for through DATABASE_URL"
    : "";
  console.error(`Lost the connection that receives changes, will connect again: ${reason}${advice}`);
}

function tell(table: string | null): void {
  hearing.works = true;
  for (const listener of listeners) listener(table);
}

/** Tells everyone who waits that changes may be missed from now on. */
function stopHearing(): void {
  if (!hearing.works) return;
  hearing.works = false;
  hearing.silentSince = Date.now();
  for (const silence of silences) silence();
}

/** Whether this process receives changes at the moment. */
export const isHearing = (): boolean => hearing.works;

/**
 * Makes the process look for changes often while a page is open. Returns a function that ends this. The runner of jobs does
 * not need it, because it looks at its table by itself.
 */
export function awaitChanges(): () => void {
  hearing.awaiting += 1;
  look();
  return () => {
    hearing.awaiting -= 1;
  };
}

/** Whether this process has received no changes for so long that streams should end. */
export const isDeaf = (): boolean => hearing.wanted && !hearing.works && Date.now() - hearing.silentSince > grace;

/** Calls `silence` whenever this process stops receiving changes. Returns a function that ends this. */
export function onSilence(silence: () => void): () => void {
  silences.add(silence);
  return () => void silences.delete(silence);
}

const shortest = 250;
const longest = 10_000;

/**
 * The pause before the next attempt, in milliseconds. There is none after the first failure. Then it doubles each time, and a
 * random part of up to half is taken off, so that processes that failed together do not retry together.
 */
export const backoff = (failures: number): number =>
  failures === 0 ? 0 : Math.min(longest, shortest * 2 ** failures) * (1 - Math.random() / 2);

/** A notification of our own arrives within this many milliseconds if notifications are delivered at all. */
const deliveryMs = 1_000;

/**
 * Looks for changes whenever a process announces some. Throws when the connection is lost. Returns `"deaf"` when notifications do
 * not arrive, because of a transaction pooler.
 */
async function listen(): Promise<"deaf"> {
  const lost = new AbortController();
  const client = new pg.Client({
    connectionString: directDatabaseUrl() ?? env.DATABASE_URL,
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  });
  client.on("error", (error) => lost.abort(error)).on("end", () => lost.abort(new Error("The database closed it")));
  try {
    await client.connect();
    const test = `test_${randomUUID().replaceAll("-", "")}`;
    const heard = new Promise<boolean>((resolve) => {
      client.on("notification", ({ channel }) => (channel === test ? resolve(true) : look()));
    });
    const canListen = await client.query(`LISTEN changes; LISTEN ${test}`).then(() => true, isRefusal);
    if (!canListen) return "deaf";
    await pool.query("SELECT pg_notify($1, '')", [test]);
    if (!(await Promise.race([heard, sleep(deliveryMs, false, { ref: false })]))) return "deaf";
    await client.query(`UNLISTEN ${test}`);
    await follow(client, () => nextLook(lost.signal));
    return "deaf";
  } finally {
    client.end().catch(() => undefined);
  }
}

/** Whether the database refuses a statement; throws when it is not the database that answers. */
function isRefusal(error: unknown): false {
  if (error instanceof pg.DatabaseError && error.severity === "ERROR") return false;
  throw error;
}

/** Makes the process look for changes soon. */
function look(): void {
  hearing.isDue = true;
  hearing.wake?.();
}

/** Resolves when it is time to look for changes. Throws when the connection is lost. */
async function nextLook(lost: AbortSignal): Promise<void> {
  await sleep(lookPauseMs, undefined, { ref: false });
  if (!hearing.isDue) {
    const wait = new AbortController();
    const end = () => wait.abort();
    lost.addEventListener("abort", end);
    hearing.wake = end;
    const time = hearing.awaiting > 0 ? lookEveryMs : idleLookMs;
    await sleep(time, undefined, { ref: false, signal: wait.signal }).catch(() => undefined);
    hearing.wake = null;
    lost.removeEventListener("abort", end);
  }
  lost.throwIfAborted();
  hearing.isDue = false;
}

const everyNowAndThen = () => sleep(lookEveryMs, undefined, { ref: false });

/**
 * Which transactions a statement saw. Transactions may end in another order than they are numbered. A later statement also
 * sees the changes of those numbered `end` and higher, and of those that were running.
 */
interface Snapshot {
  text: string;
  end: bigint;
  running: string[];
}

/**
 * Tells of changes by reading `_changes`, where triggers note them in the transaction that makes them. Each look reads what
 * the one before could not see, so that a transaction that commits late is not skipped, and nothing is told before its
 * commit. Throws when the database does not answer. Ends with `signal`.
 */
async function follow(
  database: Pick<pg.Pool | pg.Client, "query">,
  pause: () => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  let { seen } = await changesSince(database, null);
  let old = { seen, time: Date.now() };
  tell(null);
  while (!signal?.aborted) {
    await pause();
    const { tables, ...now } = await changesSince(database, seen);
    seen = now.seen;
    if (tables === null) tell(null);
    else for (const table of tables) tell(table);
    if (Date.now() - old.time > keepMs) {
      // Other processes have also seen what this process saw a minute ago, or know that they have missed it.
      if (old.seen.end < seen.end) await database.query('SELECT "prune_changes"($1::pg_snapshot)', [old.seen.text]);
      old = { seen, time: Date.now() };
    }
  }
}

/** The tables of changes that have become visible since; `null` when some may have been missed. */
async function changesSince(database: Pick<pg.Pool | pg.Client, "query">, since: Snapshot | null) {
  const { rows } = await database.query<{ snapshot: string; pruned: string; tables: string[] }>(
    `SELECT now::text AS snapshot, (SELECT last_value::text FROM "_changes_pruned") AS pruned, ARRAY(
       SELECT "table" FROM "_changes"
       WHERE ("transaction" >= $1 OR "transaction" = ANY($2)) AND "transaction" < pg_snapshot_xmax(now)::text::bigint
       GROUP BY "table" ORDER BY min("transaction")
     ) AS tables
     FROM pg_current_snapshot() AS now`,
    [since?.end ?? 0, since?.running ?? []],
  );
  const { snapshot = "", pruned = "0", tables = [] } = rows[0] ?? {};
  const [, end = "0", running = ""] = snapshot.split(":");
  const seen: Snapshot = { text: snapshot, end: BigInt(end), running: running ? running.split(",") : [] };
  // After a failover, the new server may lack the last transactions and reuse their numbers.
  const isComplete = since && BigInt(pruned) < since.end && since.end <= seen.end;
  return { seen, tables: isComplete ? tables : null };
}

/**
 * Removes the notes of changes that are older than the call before. Where no process listens, for example on Vercel, nothing
 * else removes them.
 */
export async function pruneChanges(): Promise<void> {
  const [state] = await maintenance.$queryRaw<{ before: string | null }[]>`
    WITH last AS (SELECT "value" #>> '{}' AS seen FROM "_system_state" WHERE "key" = 'changesSeen')
    INSERT INTO "_system_state" ("key", "value") VALUES ('changesSeen', to_jsonb(pg_current_snapshot()::text))
    ON CONFLICT ("key") DO UPDATE SET "value" = EXCLUDED."value"
    RETURNING (SELECT seen FROM last) AS before`;
  if (state?.before) await maintenance.$executeRaw`SELECT "prune_changes"(${state.before}::pg_snapshot)`;
}
