import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { directDatabaseUrl, pool } from "../database/database";
import { env } from "../process/env";
import type { Tell } from "./listener";

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
