import { setTimeout as sleep } from "node:timers/promises";
import { pool } from "../database/database";
import type { Tell } from "./listener";

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
