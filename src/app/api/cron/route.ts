import { crons } from "~/functions";
import { serveCron } from "~/server/scheduler/serve-cron";

export const GET = serveCron(crons);
/** Seconds; the most that Vercel's free plan gives. */
export const maxDuration = 60;
