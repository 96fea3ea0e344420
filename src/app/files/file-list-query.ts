import type { inferRouterOutputs } from "@trpc/server";
import type { AppRouter } from "~/functions";

type Page = inferRouterOutputs<AppRouter>["files"]["list"];

export type SavedFile = Page["page"][number];

export type Sort = "newest" | "oldest" | "name" | "largest";

/** The search text and the order of the files. */
export interface View {
  search: string;
  sort: Sort;
}

const first: View = { search: "", sort: "newest" };

/** The query of the page. The prefetch on the server and the browser both use it, so that their query keys are equal. */
export const fileList = {
  input: { limit: 50, ...first },
  options: { getNextPageParam: ({ nextCursor }: Page) => nextCursor },
};
