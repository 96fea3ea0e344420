import { randomUUID } from "node:crypto";
import pg from "pg";

const jobs = 50;
/** Milliseconds: over how long the jobs come due, and after how long the first. */
const span = 10_000;
const lead = 2_000;

/**
 * How late scheduled functions run on a server that has nothing else to do: mutations, each with a time of its own.
 *
 * @param {import("../bench.mjs").Bench} bench
 * @returns {Promise<import("../report.mjs").Result[]>}
 */
export async function scheduler({ newApp }) {
  const { databaseUrl } = await newApp();
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  try {
    const run = randomUUID();
    // What ctx.scheduler.runAt inserts.
    await database.query(
      `INSERT INTO "_scheduled_functions" ("_id", "name", "args", "scheduledTime")
       SELECT gen_random_uuid(), 'messages.sendOne',
         jsonb_build_object('json', jsonb_build_object('author', $1::text, 'body', n::text)),
         now() + make_interval(secs => ($2 + $3 * n / $4) / 1000.0)
       FROM generate_series(1, $4::int) AS n`,
      [run, lead, span, jobs],
    );
    /** @type {{ late: number }[]} */
    let rows = [];
    for (const deadline = Date.now() + lead + span + 10_000; rows.length < jobs && Date.now() < deadline; ) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      ({ rows } = await database.query(
        `SELECT extract(epoch FROM message."_creationTime" - job."scheduledTime")::float * 1000 AS late
         FROM "messages" AS message
         JOIN "_scheduled_functions" AS job ON message."body" = 'Sent via HTTP action: ' || (job."args" -> 'json' ->> 'body')
         WHERE message."author" = $1 ORDER BY late`,
        [run],
      ));
    }
    if (rows.length < jobs) throw new Error(`Only ${rows.length} of ${jobs} scheduled functions ran`);
    const p95 = rows[Math.ceil(jobs * 0.95) - 1]?.late ?? 0;
    return [
      {
        title: `Lateness of ${jobs} scheduled functions, p95`,
        unit: "ms",
        rows: [{ name: "idle server", figure: p95, target: "≤ 200 ms", met: p95 <= 200 }],
      },
    ];
  } finally {
    await database.end();
  }
}
