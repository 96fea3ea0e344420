import { pools } from "./database";
import { withRequestId } from "./request-id";
import { blobs } from "./storage/driver";

/** Milliseconds in which each part has to answer. */
const patience = 2_500;

const parts = {
  database: async () => void (await pools.lookups.sql("SELECT 1")),
  storage: () => blobs.check(),
};

/** `GET /api/health`: 200 when database and blob store answer, 503 naming what does not (SPEC §9). */
export const serveHealth = withRequestId(async () => {
  const states = await Promise.all(
    Object.entries(parts).map(async ([name, check]) => [name, await stateOf(name, check)]),
  );
  const status = states.every(([, state]) => state === "ok") ? 200 : 503;
  return Response.json(Object.fromEntries(states), { status, headers: { "Cache-Control": "no-store" } });
});

/** Anyone may ask, so that why it fails is only logged. */
async function stateOf(name: string, check: () => Promise<void>): Promise<"ok" | "unavailable"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer in ${patience / 1000} s`)), patience);
  });
  try {
    await Promise.race([check(), late]);
    return "ok";
  } catch (error) {
    console.error(`Health: ${name} is unavailable:`, error);
    return "unavailable";
  } finally {
    clearTimeout(timer);
  }
}
