import { app } from "~/functions";
import { cronRoute } from "~/kit/next";

export const GET = cronRoute(app);
/** In seconds. Vercel's free plan allows no more. */
export const maxDuration = 60;
