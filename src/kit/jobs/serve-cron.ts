import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { findUnlistedOwners } from "../auth/adopt";
import type { Owners } from "../auth/owners";
import { withRequestId } from "../log/scope";
import { env } from "../process/env";
import { processWide } from "../process/process-wide";
import { type CronJobs, checkCrons, setCrons } from "./crons";
import { runDueJobs } from "./runner";

/** Milliseconds in which jobs are started; those started may end later. */
const budget = 45_000;

/** `GET /api/cron` with `Authorization: Bearer $CRON_SECRET`: runs what is due, and answers how many jobs that were. */
export function serveCron(crons: CronJobs, owners: Owners = {}) {
  return withRequestId(async (request) => {
    if (!isAuthorized(request.headers.get("authorization"))) {
      return Response.json(
        { code: "UNAUTHORIZED", message: "Send the CRON_SECRET as a Bearer token" },
        { status: 401 },
      );
    }
    setCrons(crons);
    if (process.env.NODE_ENV === "development") await explain(crons, owners);
    return Response.json({ ran: await runDueJobs(budget) });
  });
}

/** In development the route runs the jobs: it is reloaded when a function changes, what runs from the start is not. */
export async function runInRoute(): Promise<boolean> {
  const headers = { authorization: `Bearer ${secret()}` };
  const response = await fetch(`http://localhost:${process.env.PORT ?? 3000}/api/cron`, { headers });
  if (!response.ok) throw new Error(`/api/cron answers ${response.status}`);
  return true;
}

/** In development, where nobody sets one, the process makes one for itself. */
const secret = () =>
  env.CRON_SECRET ??
  (process.env.NODE_ENV === "development" ? processWide("development cron secret", randomUUID) : undefined);

/** Without a secret nobody is. */
function isAuthorized(header: string | null): boolean {
  const expected = secret();
  if (!expected || header === null) return false;
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(header), hash(`Bearer ${expected}`));
}

const told = new Set<string>();

/** Says once what development should know, and production refuses to start with or has no use for. */
async function explain(crons: CronJobs, owners: Owners): Promise<void> {
  const problems: string[] = [];
  try {
    checkCrons(crons);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  const unlisted = await findUnlistedOwners(owners);
  if (unlisted.length > 0) {
    problems.push(
      `${unlisted.join(", ")} looks like a column that says whose a row is. When a visitor signs up, such rows become the ` +
        "account's only if src/kit.ts lists the column.",
    );
  }
  for (const problem of problems) {
    if (!told.has(problem)) console.warn(problem);
    told.add(problem);
  }
}
