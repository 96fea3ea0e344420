import { after } from "next/server";
import pg from "pg";
import { pool } from "../database/database";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { processWide } from "../process/process-wide";
import { type Line, scope } from "./scope";

/** A row of `_calls`. */
export interface CallRow {
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
