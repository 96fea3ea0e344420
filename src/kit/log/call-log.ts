import { format } from "node:util";
import { after } from "next/server";
import pg from "pg";
import { pool, pools } from "../database/database";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { processWide } from "../process/process-wide";
import { shorten } from "../process/quote";
import { describeError } from "./describe-error";
import { idAt } from "./id-at";
import { redact } from "./redact";
import { type Level, type Line, scope } from "./scope";

/** A row of `_calls`. */
interface CallRow {
  _id: string;
  time: string;
  requestId: string;
  function: string;
  kind: string;
  depth: number;
  outcome: string;
  duration: number;
  lines: Line[] | null;
  error: string | null;
}

/** Milliseconds after a failure until writing is tried again. */
const pauseAfterFailure = 5_000;
/** Characters of JSON that wait, and that one statement writes. */
const maxWaiting = 16_000_000;
const maxBatch = 1_000_000;

const log = processWide("call log", () => ({
  /** As JSON, the oldest first. */
  waiting: [] as string[],
  size: 0,
  /** Since the epoch, and the characters of calls with texts in it. */
  minute: 0,
  texts: 0,
  dropped: 0,
  failing: false,
  /** Milliseconds that calls wait to be written together. */
  pause: 250,
  timer: undefined as NodeJS.Timeout | undefined,
  writing: undefined as Promise<void> | undefined,
}));

/** Keeps a call for the log. It is written a moment later, or lost when it cannot be: a call never waits for its log. */
export function record(call: CallRow): void {
  if (env.CALL_LOG_ROWS === 0) return;
  const row = bounded(call);
  log.waiting.push(row);
  log.size += row.length;
  dropOldest();
  if (process.env.VERCEL === "1") flushAfterRequest();
  else schedule(log.failing ? pauseAfterFailure : log.pause);
}

/** As JSON; without its texts when this minute had too many of them, because whoever calls decides how often. */
function bounded(call: CallRow): string {
  const minute = Math.floor(Date.now() / 60_000);
  if (log.minute !== minute) Object.assign(log, { minute, texts: 0 });
  const row = JSON.stringify(call);
  if (call.lines === null && call.error === null) return row;
  log.texts += row.length;
  return log.texts <= limits.logBytesPerMinute ? row : JSON.stringify({ ...call, lines: null, error: null });
}

/** Writes what waits. Resolves when it is written, or cannot be now. */
export function flush(): Promise<void> {
  clearTimeout(log.timer);
  log.timer = undefined;
  log.writing ??= write().finally(() => {
    log.writing = undefined;
  });
  return log.writing;
}

/** Has calls written at once from now on: the process is about to end. */
export function flushAtOnce(): void {
  log.pause = 0;
  void flush();
}

function schedule(delay: number): void {
  // Outside of the call, which has no part in what is printed then.
  log.timer ??= scope.exit(() => setTimeout(flush, delay).unref());
}

/** On a host that stops the process with the answer. */
function flushAfterRequest(): void {
  try {
    after(flush);
  } catch {
    // No request asked for this call.
    schedule(log.pause);
  }
}

async function write(): Promise<void> {
  while (log.waiting.length > 0) {
    const batch = takeBatch();
    try {
      await pool.query(insert, [`[${batch.join()}]`]);
    } catch (error) {
      if (!log.failing) console.error("Could not write the log of calls:", error);
      log.failing = true;
      // A batch that PostgreSQL refuses for its data (classes 22 and 23) it will always refuse.
      if (error instanceof pg.DatabaseError && /^2[23]/.test(error.code ?? "")) log.dropped += batch.length;
      else putBack(batch);
      return schedule(pauseAfterFailure);
    }
    log.failing = false;
  }
  if (log.dropped > 0) console.warn(`The log of calls lacks ${log.dropped} calls that could not be written`);
  log.dropped = 0;
}

function takeBatch(): string[] {
  let count = 0;
  for (let size = 0; count < log.waiting.length && size < maxBatch; count++) size += log.waiting[count]?.length ?? 0;
  const batch = log.waiting.splice(0, count);
  log.size -= sizeOf(batch);
  return batch;
}

function putBack(batch: string[]): void {
  log.waiting.unshift(...batch);
  log.size += sizeOf(batch);
  dropOldest();
}

function dropOldest(): void {
  if (log.size <= maxWaiting) return;
  let count = 0;
  for (; log.size > maxWaiting; count++) log.size -= log.waiting[count]?.length ?? 0;
  log.waiting.splice(0, count);
  log.dropped += count;
}

const sizeOf = (rows: string[]) => rows.reduce((sum, row) => sum + row.length, 0);

/** The counts are of what is inserted, in one statement: written twice, after a lost answer, a call still counts once. */
const insert = `
  WITH written AS (
    INSERT INTO "_calls" SELECT * FROM json_populate_recordset(NULL::"_calls", $1)
    ON CONFLICT DO NOTHING
    RETURNING *
  )
  INSERT INTO "_call_counts" AS count
  SELECT name, date_trunc('minute', "time"), round(4 * ln(greatest("duration", 0.01)) / ln(2)),
    count(*), count(*) FILTER (WHERE "outcome" <> 'ok')
  FROM written CROSS JOIN LATERAL (VALUES ("function"), ('')) AS counted(name)
  GROUP BY 1, 2, 3
  -- In one order in every process, so that they wait for each other in no circle.
  ORDER BY 1, 2, 3
  ON CONFLICT ("function", "minute", "duration")
  DO UPDATE SET "calls" = count."calls" + excluded."calls", "errors" = count."errors" + excluded."errors"`;

const levels = { debug: "debug", log: "info", info: "info", warn: "warn", error: "error" } as const;

/**
 * Makes what functions print known to the log of calls. In production the process then prints one JSON object a line,
 * which says for which request; in development what is printed stays as it is.
 */
export function observeConsole(): void {
  processWide("console", () => {
    const isJson = process.env.NODE_ENV === "production";
    for (const [method, level] of Object.entries(levels) as [keyof typeof levels, Level][]) {
      const print = console[method].bind(console);
      console[method] = (...args: unknown[]) => {
        scope.getStore()?.call?.print(level, args);
        if (isJson) print(toJson(level, args));
        else print(...args);
      };
    }
    return true;
  });
}

/** Characters of a message in the log; of an error with its stack twice as many. */
const maxLine = 8_000;

/** A line of the log: what was printed, by which function and for which request. */
function toJson(level: Level, args: unknown[]): string {
  const { requestId, call } = scope.getStore() ?? {};
  const error = args.find((arg) => arg instanceof Error);
  const message = format(...args.filter((arg) => arg !== error));
  return JSON.stringify({
    time: new Date(),
    level,
    message: shorten(redact(shorten(message || String(error), 2 * maxLine)), maxLine),
    requestId,
    function: call?.function,
    error: error && shorten(redact(shorten(describeError(error), 4 * maxLine)), 2 * maxLine),
  });
}

const batch = 10_000;

/** Forgets calls that are too old or too many for the log, some at a time, and thins out the counts. Returns how many. */
export async function pruneCalls(): Promise<number> {
  const oldest = Date.now() - env.CALL_LOG_DAYS * 86_400_000;
  // The newest of those that are too many, if there are so many.
  const { rows } = await pools.upkeep.query<{ _id: string }>(
    'SELECT "_id" FROM "_calls" ORDER BY "_id" DESC OFFSET $1 LIMIT 1',
    [env.CALL_LOG_ROWS],
  );
  // And of those that take too many bytes, of which the texts are nearly all.
  const { rows: bytes } = await pools.upkeep.query<{ _id: string }>(
    `SELECT "_id" FROM (
       SELECT "_id", sum(200 + coalesce(pg_column_size("lines"), 0) + coalesce(pg_column_size("error"), 0))
         OVER (ORDER BY "_id" DESC) AS bytes FROM "_calls") AS sized
     WHERE bytes > $1 ORDER BY "_id" DESC LIMIT 1`,
    [env.CALL_LOG_BYTES],
  );
  // An array of places is made once and gone through. With IN, PostgreSQL may look again for each row, for minutes.
  const pruned = await deleteBatches(
    `DELETE FROM "_calls" WHERE ctid = ANY(ARRAY(
       SELECT ctid FROM "_calls" WHERE "_id" < $1 OR "_id" <= $2 OR "_id" <= $3 ORDER BY "_id" LIMIT ${batch}))`,
    [idAt(oldest), rows[0]?._id ?? null, bytes[0]?._id ?? null],
  );
  await deleteBatches(
    `DELETE FROM "_call_counts" WHERE ctid = ANY(ARRAY(
       SELECT ctid FROM "_call_counts" WHERE "minute" < $1 LIMIT ${batch}))`,
    [new Date(oldest)],
  );
  await pools.upkeep.query(foldHours);
  return pruned;
}

/** Counts by the hour what is older than a day: the hour's first minute takes the others in. */
const foldHours = `
  WITH folded AS (
    DELETE FROM "_call_counts"
    WHERE "minute" < date_trunc('hour', now() - interval '1 day') AND "minute" <> date_trunc('hour', "minute")
    RETURNING *
  )
  INSERT INTO "_call_counts" AS count
  SELECT "function", date_trunc('hour', "minute"), "duration", sum("calls"), sum("errors") FROM folded GROUP BY 1, 2, 3
  ON CONFLICT ("function", "minute", "duration")
  DO UPDATE SET "calls" = count."calls" + excluded."calls", "errors" = count."errors" + excluded."errors"`;

async function deleteBatches(sql: string, bounds: unknown[]): Promise<number> {
  for (let deleted = 0; ; ) {
    const { rowCount } = await pools.upkeep.query(sql, bounds);
    deleted += rowCount ?? 0;
    if ((rowCount ?? 0) < batch) return deleted;
  }
}
