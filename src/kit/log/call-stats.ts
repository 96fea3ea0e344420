import { pool } from "../database/database";

/** The calls that ended in a span of time. */
interface CallStats {
  /** Its start, in milliseconds since the epoch. */
  time: number;
  calls: number;
  /** Those of them that failed. */
  errors: number;
  /** Milliseconds within which half of them, 95 % and 99 % ended, ± 9 %; `null` without calls. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

interface Options {
  /** As `messages.list`; by default all functions together. */
  function?: string;
  /** Milliseconds since the epoch. */
  from: number;
  to: number;
  /** Spans to divide that into. What is counted are minutes, and hours of what is older than a day: none is shorter. */
  buckets: number;
}

/** How many calls ended and how long they took, over time: a figure for each span, oldest first. */
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
