import { pools } from "../database/database";
import { withRequestId } from "../log/scope";
import { blobs } from "../storage/blobs";

/** How long each part may take to answer. */
const timeoutMs = 2_000;

const parts = {
  database: async () => void (await pools.lookups.sql("SELECT 1")),
  storage: () => blobs.check(),
};

/**
 * `GET /api/health` answers 200 when the database and the blob store answer, and otherwise 503 with the name of what does not.
 * `upkeep` lists failing steps of the hourly upkeep, which an operator should look up in the log. The app works nevertheless.
 */
export const serveHealth = withRequestId(async () => {
  const [states, failing] = await Promise.all([
    Promise.all(Object.entries(parts).map(async ([name, check]) => [name, await stateOf(name, check)])),
    inTime(failingSteps()).catch(() => []),
  ]);
  const status = states.every(([, state]) => state === "ok") ? 200 : 503;
  const body = { ...Object.fromEntries(states), ...(failing.length > 0 && { upkeep: { failing } }) };
  return Response.json(body, { status, headers: { "Cache-Control": "no-store" } });
});

/**
 * `GET /api/health/live`: 200 while the process answers at all. It asks neither the database nor the store, so that their outage
 * does not make a host restart processes.
 */
export const serveLive = withRequestId(() =>
  Response.json({ process: "ok" }, { headers: { "Cache-Control": "no-store" } }),
);

/** Lists each failing step of upkeep with the time since when. It leaves out the reason, because anyone can read this. */
async function failingSteps(): Promise<{ step: string; since: string }[]> {
  const rows = await pools.lookups.sql<{ step: string; since: number }>(`
    SELECT step.key AS step, (step.value ->> 'failedSince')::float AS since
    FROM "_system_state", jsonb_each("value") AS step WHERE "_system_state"."key" = 'upkeep' AND step.value ? 'failedSince'`);
  return rows.map(({ step, since }) => ({ step, since: new Date(since).toISOString() }));
}

/** Checks one part. The reason of a failure is only logged, because anyone can read the response. */
async function stateOf(name: string, check: () => Promise<void>): Promise<"ok" | "unavailable"> {
  try {
    await inTime(check());
    return "ok";
  } catch (error) {
    console.error(`Health: ${name} is unavailable:`, error);
    return "unavailable";
  }
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer in ${timeoutMs / 1000} s`)), timeoutMs);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
