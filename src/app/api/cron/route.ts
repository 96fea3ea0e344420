import { app } from "~/functions";
import { cronRoute } from "~/kit/next";

export const GET = cronRoute(app);
/** Seconds; the most that Vercel's free plan gives. */
export const maxDuration = 60;
