import { pool } from "../database/database";
import { idAt } from "./id-at";
import type { Observed } from "./observe";
import type { Line } from "./scope";

/** A call of a function that ended. */
export interface Call {
  _id: string;
  /** When it ended, in milliseconds since the epoch. */
  time: number;
  requestId: string;
  /** As `messages.list`, or `POST /sendImage`. */
  function: string;
  kind: Observed["kind"];
  /** 0 when it was called from outside, 1 by a function that was, and so on. */
  depth: number;
  /** `ok`, the error's code, or `HTTP 404` of an HTTP action that answered so. */
  outcome: string;
  /** Milliseconds, with fractions. */
  duration: number;
  /** What it printed. */
  lines: Line[];
  /** What was thrown: a message, and a stack where nobody expected it. */
  error: string | null;
}

export interface CallFilter {
  function?: string;
  /** An outcome, or `error` for all but `ok`. */
  outcome?: string;
  /** A part of what was printed or thrown, in any case. */
  text?: string;
  requestId?: string;
  /** Only calls that ended before this one; or before this time, in milliseconds since the epoch. */
  before?: string | number;
  /** Only calls that ended after this one; or at this time and later. */
  after?: string | number;
}

/** Calls that one page looks at for those that match, so that a page costs the same however rare they are. */
const maxExamined = 5_000;

/**
 * A page of calls, the newest first, and what the next page is `before`: `null` after the last. A page with few calls, or
 * none, can have a next one: it has looked at as many as a page looks at.
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
  const calls = rows.slice(0, limit);
  return { calls, nextCursor: rows.length > limit ? (calls.at(-1)?._id ?? null) : end };
}

/** Everything that was printed for a request, the oldest first, and by which call. */
export async function linesOfRequest(requestId: string): Promise<(Line & { function: string; callId: string })[]> {
  const { calls } = await listCalls({ requestId, limit: 1_000 });
  return calls
    .flatMap((call) => call.lines.map((line) => ({ ...line, function: call.function, callId: call._id })))
    .sort((one, other) => one.time - other.time);
}

/** Puts a value in the list, and returns what stands for it in SQL. */
const put = (value: unknown, values: unknown[]): string => `$${values.push(value)}`;

/** Conditions that an index has the calls of, in their order. */
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

/** Conditions that are checked of each of these. */
function matchesOf(filter: CallFilter, values: unknown[]): string[] {
  const conditions: string[] = [];
  if (filter.function !== undefined) conditions.push(`"function" = ${put(filter.function, values)}`);
  if (filter.outcome !== undefined && filter.outcome !== "error") {
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

/** Whether not all candidates match. */
const isSelective = (filter: CallFilter) =>
  Boolean(filter.text) ||
  (filter.outcome !== undefined && filter.outcome !== "error") ||
  (wantsFailures(filter) && filter.function !== undefined);

/** The last candidate that a page looks at; `null` when it can look at all. */
async function lastExamined(candidates: string, values: unknown[]): Promise<string | null> {
  const { rows } = await pool.query<{ _id: string }>(
    `SELECT "_id" FROM "_calls" WHERE ${candidates} ORDER BY "_id" DESC OFFSET ${maxExamined - 1} LIMIT 1`,
    values,
  );
  return rows[0]?._id ?? null;
}
