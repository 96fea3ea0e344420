import type { inferRouterOutputs } from "@trpc/server";
import type { AppRouter } from "~/functions";

type Page = inferRouterOutputs<AppRouter>["images"]["list"];

export type GalleryImage = Page["page"][number];

/** The page's query, written once because the server's prefetch and the browser must agree on it. */
export const imageList = {
  input: { limit: 48 },
  options: { getNextPageParam: ({ nextCursor }: Page) => nextCursor },
};
