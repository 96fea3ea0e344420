import type { inferRouterOutputs } from "@trpc/server";
import type { AppRouter } from "~/functions";

type Page = inferRouterOutputs<AppRouter>["files"]["list"];

export type SavedFile = Page["page"][number];

export type Sort = "newest" | "oldest" | "name" | "largest";

/** What is searched for, and in which order the files are. */
export interface View {
  search: string;
  sort: Sort;
}

const first: View = { search: "", sort: "newest" };

/** The page's query, written once because the server's prefetch and the browser must agree on it. */
export const fileList = {
  input: { limit: 50, ...first },
  options: { getNextPageParam: ({ nextCursor }: Page) => nextCursor },
};
