import { pool } from "../database/database";
import { toPage } from "../database/pagination";
import { hasFailed, idAt } from "./function-log";
import type { Observed } from "./observe";
import type { Line } from "./scope";

/** A call of a function that ended. */
interface Call {
  _id: string;
  /** When it ended, in milliseconds since the epoch. */
  time: number;
  requestId: string;
  /** For example `messages.list` or `POST /sendImage`. */
  function: string;
  kind: Observed["kind"];
  /** 0 for a call from outside, 1 for a call by such a call, and so on. */
  depth: number;
  /** `ok`, the code of the error, or the status of an HTTP action that failed, such as `HTTP 404`. */
  outcome: string;
  /** Milliseconds, with fractions. */
  duration: number;
  /** The lines that the call printed. */
  lines: Line[];
  /** The error: the message of an expected error, or the stack of any other. */
  error: string | null;
}

export interface CallFilter {
  function?: string;
  /** An outcome, `error` for every outcome except `ok`, or `failed` for the errors that are not refusals. */
  outcome?: string;
  /** A part of what was printed or thrown, in upper or lower case. */
  text?: string;
  requestId?: string;
  /** Only calls that ended before this call, or before this time in milliseconds since the epoch. */
  before?: string | number;
  /** Only calls that ended after this call, or at this time or later. */
  after?: string | number;
}

/** Calls that one page examines for matches, so that a page costs the same however rare they are. */
const maxExamined = 5_000;

/**
 * Reads a page of calls, the newest first. `nextCursor` is the `before` of the next page, and `null` on the last. A page with
 * few calls, or none, can have a next page, because it examined as many calls as a page may.
 */
export async function listCalls({ limit, ...filter }: CallFilter & { limit: number }) {
  const values: unknown[] = [];
  const candidates = candidatesOf(filter, values).join(" AND ");
  const end = isSelective(filter) ? await lastExamined(candidates, [...values]) : null;
  const matches = matchesOf(filter, values);
  if (end !== null) matches.push(`"_id" >= ${put(end, values)}::uuid`);
  const { rows } = await pool.query<Call>(
    `SELECT "_id", extract(epoch FROM "time")::float8 * 1000 AS "time", "requestId", "function", "kind", "depth", "outcome",
       "duration", coalesce("lines", '[]') AS "lines", "error"
     FROM "_calls" WHERE ${[candidates, ...matches].join(" AND ")} ORDER BY "_id" DESC LIMIT ${put(limit + 1, values)}`,
    values,
  );
  const { page: calls, nextCursor } = toPage(rows, limit, ({ _id }) => _id);
  return { calls, nextCursor: nextCursor ?? end };
}

/** Reads every line that was printed for a request, the oldest first, with the call that printed it. */
export async function linesOfRequest(requestId: string): Promise<(Line & { function: string; callId: string })[]> {
  const { calls } = await listCalls({ requestId, limit: 1_000 });
  return calls
    .flatMap((call) => call.lines.map((line) => ({ ...line, function: call.function, callId: call._id })))
    .sort((one, other) => one.time - other.time);
}

/** Appends a parameter, and returns its placeholder in SQL. */
const put = (value: unknown, values: unknown[]): string => `$${values.push(value)}`;

/** The conditions for which an index finds calls in order. */
function candidatesOf(filter: CallFilter, values: unknown[]): string[] {
  const { before, after } = filter;
  const conditions = ["true"];
  if (before !== undefined) {
    conditions.push(`"_id" < ${put(typeof before === "number" ? idAt(before) : before, values)}::uuid`);
  }
  if (typeof after === "string") conditions.push(`"_id" > ${put(after, values)}::uuid`);
  if (typeof after === "number") conditions.push(`"_id" >= ${put(idAt(after), values)}::uuid`);
  if (filter.requestId !== undefined) conditions.push(`"requestId" = ${put(filter.requestId, values)}`);
  if (wantsFailures(filter)) conditions.push(`"outcome" <> 'ok'`);
  else if (filter.function !== undefined) conditions.push(`"function" = ${put(filter.function, values)}`);
  if (filter.text) conditions.push(`("lines" IS NOT NULL OR "error" IS NOT NULL)`);
  return conditions;
}

/** Conditions that are checked for each of these calls. */
function matchesOf(filter: CallFilter, values: unknown[]): string[] {
  const conditions: string[] = [];
  if (filter.function !== undefined) conditions.push(`"function" = ${put(filter.function, values)}`);
  if (filter.outcome === "failed") conditions.push(hasFailed);
  else if (filter.outcome !== undefined && filter.outcome !== "error") {
    conditions.push(`"outcome" = ${put(filter.outcome, values)}`);
  }
  if (filter.text) {
    const pattern = put(`%${filter.text.replace(/[\\%_]/g, String.raw`\$&`)}%`, values);
    conditions.push(`("error" ILIKE ${pattern} OR EXISTS (
      SELECT FROM jsonb_array_elements("lines") AS line WHERE line ->> 'text' ILIKE ${pattern}))`);
  }
  return conditions;
}

const wantsFailures = ({ outcome }: CallFilter) => outcome !== undefined && outcome !== "ok";

/** Whether some candidates may not match. */
const isSelective = (filter: CallFilter) =>
  Boolean(filter.text) ||
  (filter.outcome !== undefined && filter.outcome !== "error") ||
  (wantsFailures(filter) && filter.function !== undefined);

/** The last candidate that a page examines; `null` when it can examine all. */
async function lastExamined(candidates: string, values: unknown[]): Promise<string | null> {
  const { rows } = await pool.query<{ _id: string }>(
    `SELECT "_id" FROM "_calls" WHERE ${candidates} ORDER BY "_id" DESC OFFSET ${maxExamined - 1} LIMIT 1`,
    values,
  );
  return rows[0]?._id ?? null;
}

/** Figures of the calls that ended in a span of time. */
interface CallStats {
  /** Its start, in milliseconds since the epoch. */
  time: number;
  calls: number;
  /** How many of these calls failed. A refusal, such as a 401, does not count as failed. */
  errors: number;
  /** Milliseconds within which half of them, 95 % and 99 % ended, ± 9 %; `null` without calls. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

interface Options {
  /** For example `messages.list`. Default: all functions together. */
  function?: string;
  /** Milliseconds since the epoch. */
  from: number;
  to: number;
  /** The number of spans. Counts are kept by the minute, and by the hour after a day, so no span is shorter. */
  buckets: number;
}

/** Reads how many calls ended and how long they took, for each span, oldest first. */
export async function callStats({ function: name = "", from, to, buckets }: Options): Promise<CallStats[]> {
  const width = (to - from) / buckets;
  const { rows } = await pool.query<Omit<CallStats, "time"> & { span: number }>(
    `WITH counts AS (
       SELECT floor((date_part('epoch', "minute") * 1000 - $2::float8) / $3::float8)::int AS "span", "duration",
         sum("calls") AS "calls", sum("errors") AS "errors"
       FROM "_call_counts"
       WHERE "function" = $1 AND "minute" >= to_timestamp($2::float8 / 1000) AND "minute" < to_timestamp($4::float8 / 1000)
       GROUP BY 1, 2
     ), running AS (
       SELECT *, sum("calls") OVER (PARTITION BY "span" ORDER BY "duration") / sum("calls") OVER (PARTITION BY "span") AS "share"
       FROM counts
     )
     SELECT "span", sum("calls")::float8 AS "calls", sum("errors")::float8 AS "errors",
       2 ^ (min("duration") FILTER (WHERE "share" >= 0.5) / 4.0::float8) AS "p50",
       2 ^ (min("duration") FILTER (WHERE "share" >= 0.95) / 4.0::float8) AS "p95",
       2 ^ (min("duration") FILTER (WHERE "share" >= 0.99) / 4.0::float8) AS "p99"
     FROM running GROUP BY "span"`,
    [name, from, width, to],
  );
  const found = new Map(rows.map(({ span, ...stats }) => [span, stats]));
  const none = { calls: 0, errors: 0, p50: null, p95: null, p99: null };
  return Array.from({ length: buckets }, (_, span) => ({
    time: from + span * width,
    ...(found.get(span) ?? none),
  }));
}

/** The functions with failed calls since a time, in milliseconds since the epoch, the most failures first. */
export async function failingFunctions(since: number): Promise<{ name: string; errors: number }[]> {
  const { rows } = await pool.query<{ name: string; errors: number }>(
    `SELECT "function" AS name, sum("errors")::float8 AS errors FROM "_call_counts"
     WHERE "function" <> '' AND "minute" >= to_timestamp($1::float8 / 1000) GROUP BY 1 HAVING sum("errors") > 0
     ORDER BY 2 DESC LIMIT 5`,
    [since],
  );
  return rows;
}
