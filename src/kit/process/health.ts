import { pools } from "../database/database";
import { withRequestId } from "../log/scope";
import { blobs } from "../storage/blobs";

/** Milliseconds in which each part has to answer. */
const patience = 2_000;

const parts = {
  database: async () => void (await pools.lookups.sql("SELECT 1")),
  storage: () => blobs.check(),
};

/**
 * `GET /api/health`: 200 when database and blob store answer, 503 naming what does not. `upkeep` names the steps
 * of it that fail, which an operator should look at in the log or on the dashboard; the app serves all the same.
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

/** Of each step of upkeep that fails, its name and since when. Why it fails, anyone may ask, and is not told. */
async function failingSteps(): Promise<{ step: string; since: string }[]> {
  const rows = await pools.lookups.sql<{ step: string; since: number }>(`
    SELECT step.key AS step, (step.value ->> 'failedSince')::float AS since
    FROM "_system_state", jsonb_each("value") AS step WHERE "_system_state"."key" = 'upkeep' AND step.value ? 'failedSince'`);
  return rows.map(({ step, since }) => ({ step, since: new Date(since).toISOString() }));
}

/** Anyone may ask, so that why it fails is only logged. */
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
    timer = setTimeout(() => reject(new Error(`No answer in ${patience / 1000} s`)), patience);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
