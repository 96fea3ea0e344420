import type { inferRouterOutputs } from "@trpc/server";
import type { AppRouter } from "~/functions";

type Page = inferRouterOutputs<AppRouter>["images"]["list"];

export type GalleryImage = Page["page"][number];

/** The query of the page. The prefetch on the server and the browser both use it, so that their query keys are equal. */
export const imageList = {
  input: { limit: 48 },
  options: { getNextPageParam: ({ nextCursor }: Page) => nextCursor },
};
