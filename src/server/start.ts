import { flushAtOnce } from "./calls/call-log";
import { observeConsole } from "./calls/console";
import { prisma } from "./database";
import { processWide } from "./process-wide";
import { type CronJobs, setCrons } from "./scheduler/crons";
import { startRunner } from "./scheduler/runner";
import { runInRoute } from "./scheduler/serve-cron";
import { stopping } from "./stopping";
import { findLooseReferences } from "./storage/references";

/** What the process does once when it starts, before it serves. Throws to refuse the start. */
export async function start(crons: CronJobs): Promise<void> {
  observeConsole();
  stopping.addEventListener("abort", flushAtOnce);
  setCrons(crons);
  const loose = await findLooseReferences(prisma).catch((error) => {
    // The health endpoint tells of a database that is down; it may come.
    console.error("Could not look at the database at the start:", error);
    return [];
  });
  if (loose.length > 0) {
    throw new Error(
      `${loose.join(", ")} looks like a storage id without a foreign key to _storage: its files would be collected as ` +
        "unreferenced. Add the foreign key, or rename the column.",
    );
  }
  // Elsewhere than on hosts that stop processes between requests, where /api/cron does it.
  if (process.env.VERCEL === "1") return;
  const stopRunner = processWide("runner", () =>
    startRunner(process.env.NODE_ENV === "development" ? runInRoute : undefined),
  );
  stopping.addEventListener("abort", () => void stopRunner());
}
