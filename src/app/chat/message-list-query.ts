import type { inferRouterOutputs } from "@trpc/server";
import type { AppRouter } from "~/functions";

type Page = inferRouterOutputs<AppRouter>["messages"]["list"];

export type Message = Page["page"][number];

/** The query of the page. The prefetch on the server and the browser both use it, so that their query keys are equal. */
export const messageList = {
  input: { limit: 30 },
  options: { getNextPageParam: ({ nextCursor }: Page) => nextCursor },
};
