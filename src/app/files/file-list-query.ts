import type { inferRouterOutputs } from "@trpc/server";
import type { AppRouter } from "~/functions";

type Page = inferRouterOutputs<AppRouter>["files"]["list"];

export type SavedFile = Page["page"][number];

/** The page's query, written once because the server's prefetch and the browser must agree on it. */
export const fileList = {
  input: { limit: 50 },
  options: { getNextPageParam: ({ nextCursor }: Page) => nextCursor },
};
