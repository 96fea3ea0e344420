import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { directDatabaseUrl, pool } from "../database/database";
import { env } from "../process/env";
import { processWide } from "../process/process-wide";

/** Called with the table that committed changes; with `null` when some may have been missed. */
type Tell = (table: string | null) => void;

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

const shortest = 250;
const longest = 10_000;

/**
 * Milliseconds to wait after so many failures before the one that has just been: none at first, then twice as long each
 * time, and by chance up to half less, so that processes which failed together do not try again together.
 */
export const backoff = (failures: number): number =>
  failures === 0 ? 0 : Math.min(longest, shortest * 2 ** failures) * (1 - Math.random() / 2);

/** Milliseconds within which a notification of our own is heard where notifications are delivered at all. */
const patience = 1_000;
/**
 * Tells of changes as PostgreSQL notifies of them, until the connection is lost: then throws. Returns `"deaf"` when
 * notifications do not arrive, as behind a transaction pooler.
 */
export async function listen(
  tell: Tell,
  nextHeartbeat: (wait: (milliseconds: number) => Promise<unknown>) => Promise<void>,
): Promise<"deaf"> {
  const lost = new AbortController();
  const client = new pg.Client({
    connectionString: directDatabaseUrl() ?? env.DATABASE_URL,
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  });
  client.on("error", (error) => lost.abort(error)).on("end", () => lost.abort(new Error("The database closed it")));
  const wait = (milliseconds: number) =>
    sleep(milliseconds, undefined, { ref: false, signal: lost.signal }).catch(() => lost.signal.throwIfAborted());
  try {
    await client.connect();
    const test = `test_${randomUUID().replaceAll("-", "")}`;
    const heard = new Promise<boolean>((resolve) => {
      client.on("notification", ({ channel, payload }) => (channel === test ? resolve(true) : tell(payload ?? null)));
    });
    const canListen = await client.query(`LISTEN changes; LISTEN ${test}`).then(() => true, isRefusal);
    if (!canListen) return "deaf";
    await pool.query("SELECT pg_notify($1, '')", [test]);
    if (!(await Promise.race([heard, wait(patience)]))) return "deaf";
    await client.query(`UNLISTEN ${test}`);
    // What committed before is not told.
    for (tell(null); ; await client.query("SELECT 1")) {
      await nextHeartbeat(wait);
    }
  } finally {
    client.end().catch(() => undefined);
  }
}

/** Whether the database refuses a statement; throws when it is not the database that answers. */
function isRefusal(error: unknown): false {
  if (error instanceof pg.DatabaseError && error.severity === "ERROR") return false;
  throw error;
}

/** Milliseconds between two looks. */
const interval = 500;
/** Milliseconds between two times of saying that the table is read, and without a look after which some may be missed. */
const renewal = 60_000;

/**
 * Tells of changes by reading the table of changes, which is written while processes do. Throws when the database does
 * not answer, or some changes may have been missed. Ends with `signal`.
 */
export async function poll(tell: Tell, signal?: AbortSignal): Promise<void> {
  await renew();
  // What ran before has not noted its changes: they are told of when it has ended.
  const { xmin, xmax } = await snapshot();
  let unnotedUntil: bigint | null = xmin < xmax ? xmax : null;
  tell(null);

  // Transactions end in another order than they are numbered in. Below `settled` all have; those from there on that have
  // been told are remembered one by one.
  let settled = xmin;
  let told = new Map<string, bigint>();
  let looked = Date.now();
  let renewed = Date.now();
  while (!signal?.aborted) {
    await sleep(interval, undefined, { ref: false });
    if (Date.now() - looked > renewal) throw new Error("Nothing was polled for a minute");
    looked = Date.now();
    if (looked - renewed > renewal) {
      await renew();
      await prune();
      renewed = looked;
    }
    const changes = await changesFrom(settled);
    for (const { transaction, table } of changes) {
      const key = `${transaction} ${table}`;
      if (table === null) settled = transaction;
      else if (!told.has(key)) {
        told.set(key, transaction);
        tell(table);
      }
    }
    told = new Map([...told].filter(([, transaction]) => transaction >= settled));
    if (unnotedUntil !== null && settled >= unnotedUntil) {
      unnotedUntil = null;
      tell(null);
    }
  }
}

/** Those of one snapshot, and of no table the transaction below which all had ended in it. */
async function changesFrom(settled: bigint): Promise<{ transaction: bigint; table: string | null }[]> {
  const { rows } = await pool.query<{ transaction: string; table: string | null }>(
    `SELECT "transaction", "table" FROM "_changes" WHERE "transaction" >= $1
     UNION ALL SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, NULL`,
    [settled],
  );
  return rows.map(({ transaction, table }) => ({ transaction: BigInt(transaction), table }));
}

async function snapshot(): Promise<{ xmin: bigint; xmax: bigint }> {
  const { rows } = await pool.query<{ xmin: string; xmax: string }>(
    "SELECT pg_snapshot_xmin(now)::text AS xmin, pg_snapshot_xmax(now)::text AS xmax FROM pg_current_snapshot() AS now",
  );
  return { xmin: BigInt(rows[0]?.xmin ?? 0), xmax: BigInt(rows[0]?.xmax ?? 0) };
}

/** Has changes noted for the next five minutes. */
const renew = () =>
  pool.query(`SELECT setval('"_changes_read_until"', extract(epoch FROM clock_timestamp())::bigint + 300)`);

/** No transaction lasts an hour and then commits. */
const prune = () => pool.query(`DELETE FROM "_changes" WHERE "at" < now() - interval '1 hour'`);
