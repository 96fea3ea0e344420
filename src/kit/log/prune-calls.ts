import { pools } from "../database/database";
import { env } from "../process/env";
import { idAt } from "./id-at";

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
