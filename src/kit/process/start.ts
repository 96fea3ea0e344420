import { setTimeout as sleep } from "node:timers/promises";
import { checkIssuerSettings } from "../auth/issuers";
import { WrongTimeZone } from "../database/connections";
import { pools } from "../database/database";
import { DatabaseUnavailable } from "../database/errors";
import { watchConnections } from "../http/watch-connections";
import { type CronJobs, checkCrons, setCrons } from "../jobs/crons";
import { giveUpRunning } from "../jobs/jobs";
import { runInRoute, startRunner } from "../jobs/runner";
import { watchModels } from "../live/watched";
import { flushAtOnce, observeConsole } from "../log/function-log";
import { loadAppBeforeFiles } from "../storage/options";
import { findLooseReferences } from "../storage/references";
import { ForeignStore, refuseForeignStore } from "../storage/store-id";
import { checkBasePath, checkProxy, checkSettings } from "./check-settings";
import { env, onVercel } from "./env";
import { endInOrder, finishBeforeExit, processWide, stopping } from "./process-wide";

/** How long the start waits for the checks of the database. `/api/health` should answer within five seconds. */
const checkTimeoutMs = 1_000;
/** Time between two attempts when the database does not answer. */
const retryMs = 5_000;

/** When development compiles the cron route. Earlier, the first page would have to wait for it. */
const cronRouteAfterMs = 10_000;

/** Runs once per process, before it serves. Throws to refuse the start. */
export async function start(
  { crons }: { crons?: CronJobs } = {},
  loadApp: () => Promise<unknown> = runInRoute,
): Promise<void> {
  observeConsole();
  endInOrder();
  watchConnections();
  stopping.addEventListener("abort", flushAtOnce);
  checkBasePath();
  checkSettings();
  checkIssuerSettings();
  await checkProxy();
  if (crons) {
    checkCrons(crons);
    setCrons(crons);
  } else loadAppBeforeFiles(loadApp);
  // A process on Vercel starts for a waiting request and stops between requests. /api/cron runs the jobs.
  if (onVercel()) {
    if (!env.CRON_SECRET)
      console.warn(
        "CRON_SECRET is not set, so /api/cron refuses Vercel's calls: no recurring function runs, and a job that is due while " +
          "nobody uses the app waits for the next request. Set 16 random characters or more.",
      );
    stopWhenRefused(checkDatabase());
    return releaseWhenIdle();
  }
  await waitShortly(checkDatabase());
  const stopRunner = processWide("runner", () => startRunner(crons ? undefined : runInRoute));
  // The route schedules recurring functions, and reports what is wrong with them.
  if (!crons)
    setTimeout(
      () => void runInRoute().catch((error) => stopping.aborted || console.error(error)),
      cronRouteAfterMs,
    ).unref();
  finishBeforeExit({ finish: stopRunner, giveUp: giveUpRunning });
}

/** Closes idle connections before Vercel suspends the process between requests. */
async function releaseWhenIdle(): Promise<void> {
  const { attachDatabasePool } = await import("@vercel/functions");
  for (const pool of Object.values(pools)) attachDatabasePool(pool);
}

/** Checks the database, and tries until it answers. Throws when the app cannot work with it. */
async function checkDatabase(): Promise<void> {
  for (;;) {
    try {
      if (!(await watchModels())) return;
      await warnOfLooseReferences();
      // On Vercel, upkeep checks this, because it would load the store's SDK in every cold start.
      if (onVercel()) return;
      await refuseForeignStore().catch((error) => {
        if (error instanceof DatabaseUnavailable) throw error;
        console.warn(error instanceof ForeignStore ? error.message : `Could not compare the blob store's id: ${error}`);
      });
      return;
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable)) return console.error("Could not check the database:", error);
      if (error.reason instanceof WrongTimeZone) throw error.reason;
      // Start anyway: /api/health reports the outage, and the database may come back.
      await sleep(retryMs, undefined, { ref: false });
    }
  }
}

async function warnOfLooseReferences(): Promise<void> {
  const loose = await findLooseReferences();
  if (loose.length === 0) return;
  console.warn(
    `${loose.join(", ")} looks like a storage id without a foreign key to _storage. Its files are kept only as long as each ` +
      "collection finds them there in time, and deleting a file leaves the column as it is. Add the foreign key.",
  );
}

/** Starts without the result of a check that takes long. If it fails later, the process ends. */
async function waitShortly(check: Promise<void>): Promise<void> {
  const waiting = new AbortController();
  const late = sleep(checkTimeoutMs, false, { signal: waiting.signal }).catch(() => false);
  const isDone = await Promise.race([check.then(() => true), late]).finally(() => waiting.abort());
  if (isDone) return;
  console.warn("The database does not answer yet. The app starts without having checked it.");
  stopWhenRefused(check);
}

function stopWhenRefused(check: Promise<void>): void {
  check.catch((error) => {
    console.error("The app cannot work with this database and stops:", error);
    process.exit(1);
  });
}
