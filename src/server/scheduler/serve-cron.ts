import { createHash, timingSafeEqual } from "node:crypto";
import { env } from "../env";
import { type CronJobs, setCrons } from "./crons";
import { runDueJobs } from "./runner";

/** Milliseconds in which jobs are started; those started may end later. */
const budget = 45_000;

/** `GET /api/cron` with `Authorization: Bearer $CRON_SECRET`: runs what is due, and answers how many jobs that were. */
export function serveCron(crons: CronJobs) {
  return async (request: Request): Promise<Response> => {
    if (!isAuthorized(request.headers.get("authorization"))) {
      return Response.json(
        { code: "UNAUTHORIZED", message: "Send the CRON_SECRET as a Bearer token" },
        { status: 401 },
      );
    }
    setCrons(crons);
    return Response.json({ ran: await runDueJobs(budget) });
  };
}

/** Without a secret nobody is. */
function isAuthorized(header: string | null): boolean {
  if (!env.CRON_SECRET || header === null) return false;
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(header), hash(`Bearer ${env.CRON_SECRET}`));
}
