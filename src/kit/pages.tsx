import "server-only";
// What server components import: they call functions without HTTP, and hand on what they found to the browser.

import { dehydrate, HydrationBoundary } from "@tanstack/react-query";
import { type AnyTRPCRouter, TRPCError } from "@trpc/server";
import { createTRPCOptionsProxy } from "@trpc/tanstack-react-query";
import { headers } from "next/headers";
import { notFound } from "next/navigation";
import { cache, type ReactNode } from "react";
import { CatchUp } from "./client/live-queries";
import { makeQueryClient } from "./client/query-client";
import { type Viewer, viewerQuery } from "./client/viewer";
import { createRequestContext } from "./functions/request-context";
import { currentPosition } from "./live/change-log";

export { isAdmin } from "./dashboard/admin-procedure";
export { liveTransport } from "./live/serve-changes";
export { env } from "./process/env";

/** The cache of the request that is being rendered. */
export const queryClient = cache(() => {
  // Before the first query reads: what changes after it is told to the browser.
  position();
  return makeQueryClient();
});

const position = cache(currentPosition);

/** What is known about the request for the page. */
const requestContext = cache(async () => createRequestContext({ method: "GET", headers: await headers() }));

/** Who they are; `null` also when that cannot be found out, since a page has nobody to tell. */
export const viewer = cache(async () => {
  const { identity } = await requestContext();
  return identity().catch(() => null);
});

/**
 * What a function answers, for a page whose URL has an id in it: the page is 404 when there is nothing of that id, or the id
 * is none, as anybody may write there what they like.
 *
 *     const note = await orNotFound(queryClient().fetchQuery(api.notes.get.queryOptions({ noteId })));
 */
export async function orNotFound<T>(answer: Promise<T>): Promise<NonNullable<T>> {
  const found = await answer.catch((error: unknown) => {
    const isRefusal = error instanceof TRPCError && (error.code === "BAD_REQUEST" || error.code === "NOT_FOUND");
    if (!isRefusal) throw error;
    return null;
  });
  return found ?? notFound();
}

/** The first of a parameter that a URL has several times. */
export const first = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value;

/**
 * Calls an app's functions from server components, without HTTP:
 *
 *     const api = createServerApi(app);
 *     await queryClient().prefetchQuery(api.files.list.queryOptions());
 */
export const createServerApi = <Router extends AnyTRPCRouter>({ router }: { router: Router }) =>
  createTRPCOptionsProxy<Router>({ router, queryClient, ctx: requestContext });

async function readViewer(): Promise<Viewer | null> {
  const identity = await viewer();
  return identity && { id: identity.subject, name: identity.name ?? "", email: identity.email ?? null };
}

/** Prefetches who is signed in, which `useViewer` tells. */
export const prefetchViewer = async () =>
  void queryClient().setQueryData(viewerQuery.queryKey, await readViewer(), { updatedAt: 0 });

/** Hands what was prefetched to the client components below, so that they render with it at once. */
export function Prefetched({ children }: { children: ReactNode }) {
  return (
    <HydrationBoundary state={dehydrate(queryClient())}>
      <CatchUp position={position()} />
      {children}
    </HydrationBoundary>
  );
}
