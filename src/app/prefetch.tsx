import "server-only";
import { dehydrate, HydrationBoundary } from "@tanstack/react-query";
import { createTRPCOptionsProxy } from "@trpc/tanstack-react-query";
import { headers } from "next/headers";
import { cache, type ReactNode } from "react";
import { CatchUp } from "~/client/live";
import { makeQueryClient } from "~/client/query-client";
import { router } from "~/functions";
import { createCaller } from "~/server/caller";
import { currentPosition } from "~/server/changes/change-log";

/** The cache of the request that is being rendered. */
export const queryClient = cache(() => {
  // Before the first query reads: what changes after it is told to the browser.
  position();
  return makeQueryClient();
});

const position = cache(currentPosition);

/** Who asks for the page. */
export const caller = cache(async () => createCaller({ method: "GET", headers: await headers() }));

/** Calls functions from a server component, without HTTP: `queryClient().prefetchQuery(api.files.list.queryOptions())` */
export const api = createTRPCOptionsProxy({
  router,
  queryClient,
  ctx: caller,
});

/** Hands what was prefetched to the client components below, so that they render with it at once. */
export function Prefetched({ children }: { children: ReactNode }) {
  return (
    <HydrationBoundary state={dehydrate(queryClient())}>
      <CatchUp position={position()} />
      {children}
    </HydrationBoundary>
  );
}
