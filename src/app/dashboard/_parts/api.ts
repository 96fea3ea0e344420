import type { inferRouterOutputs } from "@trpc/server";
import type { AppRouter } from "~/functions";

/** What the dashboard's calls answer. */
export type Answers = inferRouterOutputs<AppRouter>["dashboard"];
