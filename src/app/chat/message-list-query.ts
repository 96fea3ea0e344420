import type { inferRouterOutputs } from "@trpc/server";
import type { AppRouter } from "~/functions";

type Page = inferRouterOutputs<AppRouter>["messages"]["list"];

export type Message = Page["page"][number];

/** The chat's query, written once because the server's prefetch and the browser must agree on it. */
export const messageList = {
  input: { limit: 30 },
  options: { getNextPageParam: ({ nextCursor }: Page) => nextCursor },
};
