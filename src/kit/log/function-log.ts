import { format } from "node:util";
import pg from "pg";
import { v7 } from "uuid";
import { pool, pools } from "../database/database";
import { env, onVercel } from "../process/env";
import { limits } from "../process/limits";
import { finishAfterResponse, processWide } from "../process/process-wide";
import { type Level, type Line, scope } from "./scope";
import { describeError, redact, shorten } from "./text";

const nothing = new Uint8Array(16);

/** The smallest id that a call at this time, in milliseconds since the epoch, can have (RFC 9562 §5.7). */
export const idAt = (time: number): string => v7({ msecs: time, seq: 0, random: nothing });

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
/** Characters of JSON that may wait, and that one statement writes. */
const maxWaiting = 16_000_000;
const maxBatch = 1_000_000;

const log = processWide("function log", () => ({
  /** Calls as JSON, the oldest first. */
  waiting: [] as string[],
  size: 0,
  /** The current minute since the epoch, and the characters in it of calls with texts. */
  minute: 0,
  texts: 0,
  dropped: 0,
  failing: false,
  /** Milliseconds that calls wait so that they are written together. */
  pause: 250,
  timer: undefined as NodeJS.Timeout | undefined,
  writing: undefined as Promise<void> | undefined,
}));

/** Adds a call to the log. It is written a moment later, or lost when that fails: a call never waits for its log. */
export function record(call: CallRow): void {
  if (env.CALL_LOG_ROWS === 0) return;
  const row = bounded(call);
  log.waiting.push(row);
  log.size += row.length;
  dropOldest();
  if (onVercel()) void finishAfterResponse(flush);
  else schedule(log.failing ? pauseAfterFailure : log.pause);
}

/** The call as JSON. Its texts are left out when this minute had too many, because clients decide how often they call. */
function bounded(call: CallRow): string {
  const minute = Math.floor(Date.now() / 60_000);
  if (log.minute !== minute) Object.assign(log, { minute, texts: 0 });
  const row = JSON.stringify(call);
  if (call.lines === null && call.error === null) return row;
  log.texts += row.length;
  return log.texts <= limits.logBytesPerMinute ? row : JSON.stringify({ ...call, lines: null, error: null });
}

/** Writes the waiting calls. Resolves when they are written, or cannot be written now. */
export function flush(): Promise<void> {
  clearTimeout(log.timer);
  log.timer = undefined;
  log.writing ??= write().finally(() => {
    log.writing = undefined;
  });
  return log.writing;
}

/** Writes calls at once from now on, because the process is about to end. */
export function flushAtOnce(): void {
  log.pause = 0;
  void flush();
}

function schedule(delay: number): void {
  // The timer runs outside of the call, so that lines it prints are not the call's.
  log.timer ??= scope.exit(() => setTimeout(flush, delay).unref());
}

async function write(): Promise<void> {
  while (log.waiting.length > 0) {
    const batch = takeBatch();
    try {
      await pool.query(insert, [`[${batch.join()}]`]);
    } catch (error) {
      if (!log.failing) console.error("Could not write the function log:", error);
      log.failing = true;
      // PostgreSQL will always refuse a batch that it refuses because of its data (classes 22 and 23).
      if (error instanceof pg.DatabaseError && /^2[23]/.test(error.code ?? "")) log.dropped += batch.length;
      else putBack(batch);
      return schedule(pauseAfterFailure);
    }
    log.failing = false;
  }
  if (log.dropped > 0) console.warn(`The function log lacks ${log.dropped} calls that could not be written`);
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

/**
 * An SQL condition: the call ended in a way that the server did not intend. A refusal, such as the 401 of a visitor who is
 * not signed in, is in the log, but is not counted as an error.
 */
export const hasFailed = `("outcome" LIKE 'HTTP 5%' OR "outcome" IN ('INTERNAL_SERVER_ERROR', 'NOT_IMPLEMENTED', 'TIMEOUT',
  'BAD_GATEWAY', 'SERVICE_UNAVAILABLE', 'GATEWAY_TIMEOUT'))`;

/** Inserts and counts in one statement, so that a batch that is written again after a lost answer counts once. */
const insert = `
  WITH written AS (
    INSERT INTO "_calls" SELECT * FROM json_populate_recordset(NULL::"_calls", $1)
    ON CONFLICT DO NOTHING
    RETURNING *
  )
  INSERT INTO "_call_counts" AS count
  SELECT name, date_trunc('minute', "time"), round(4 * ln(greatest("duration", 0.01)) / ln(2)),
    count(*), count(*) FILTER (WHERE ${hasFailed})
  FROM written CROSS JOIN LATERAL (VALUES ("function"), ('')) AS counted(name)
  GROUP BY 1, 2, 3
  -- One order in every process prevents deadlocks.
  ORDER BY 1, 2, 3
  ON CONFLICT ("function", "minute", "duration")
  DO UPDATE SET "calls" = count."calls" + excluded."calls", "errors" = count."errors" + excluded."errors"`;

const levels = { debug: "debug", log: "info", info: "info", warn: "warn", error: "error" } as const;

/**
 * Adds what functions print to the function log. In production the process then prints one JSON object a line, which names
 * the request. In development the output stays as it is.
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

/** Characters of a message in the log. An error with its stack may have twice as many. */
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

/** Deletes calls that are too old or too many for the log, in batches, and thins out the counts. Returns how many. */
export async function pruneCalls(): Promise<number> {
  const oldest = Date.now() - env.CALL_LOG_DAYS * 86_400_000;
  // The newest call beyond CALL_LOG_ROWS, if there are so many.
  const { rows } = await pools.upkeep.query<{ _id: string }>(
    'SELECT "_id" FROM "_calls" ORDER BY "_id" DESC OFFSET $1 LIMIT 1',
    [env.CALL_LOG_ROWS],
  );
  // The newest call beyond CALL_LOG_BYTES. Nearly all bytes are those of the texts.
  const { rows: bytes } = await pools.upkeep.query<{ _id: string }>(
    `SELECT "_id" FROM (
       SELECT "_id", sum(200 + coalesce(pg_column_size("lines"), 0) + coalesce(pg_column_size("error"), 0))
         OVER (ORDER BY "_id" DESC) AS bytes FROM "_calls") AS sized
     WHERE bytes > $1 ORDER BY "_id" DESC LIMIT 1`,
    [env.CALL_LOG_BYTES],
  );
  // PostgreSQL computes the array of ctids once. With IN it may run the subquery for each row, which takes minutes.
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

/** Merges the counts of each hour that is older than a day into the first minute of that hour. */
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
