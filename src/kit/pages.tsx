import "server-only";
// Server components import this. They call functions without HTTP, and pass the results on to the browser.

import { dehydrate, HydrationBoundary } from "@tanstack/react-query";
import { type AnyTRPCRouter, TRPCError } from "@trpc/server";
import { createTRPCOptionsProxy } from "@trpc/tanstack-react-query";
import { headers } from "next/headers";
import { notFound } from "next/navigation";
import { cache, type ReactNode } from "react";
import { isAdmin } from "./auth/admin";
import { CatchUp } from "./client/live-queries";
import { makeQueryClient } from "./client/query-client";
import { type Viewer, viewerQuery } from "./client/viewer";
import { createRequestContext } from "./functions/request-context";
import { currentPosition } from "./live/change-log";
import { formatReads } from "./live/reads";
import { env } from "./process/env";

export { liveTransport } from "./live/serve-changes";
export { env, isAdmin };

/** Returns the query client of the request that is being rendered. */
export const queryClient = cache(() => {
  // Note the position before the first query reads, so that the browser learns of every later change.
  position();
  return makeQueryClient();
});

const position = cache(currentPosition);

/** Makes the context of the request for the page. */
const requestContext = cache(async () => createRequestContext({ method: "GET", headers: await headers() }));

/** Returns who is signed in, or `null`. Also `null` when that cannot be found out. */
export const viewer = cache(async () => {
  const { identity } = await requestContext();
  return identity().catch(() => null);
});

/**
 * Returns the result of a function, for a page with an id in its URL. Shows the 404 page when the result is `null`, and for the
 * errors `NOT_FOUND` and `BAD_REQUEST`, because an id in a URL may be mistyped.
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

/** Returns the path in a search parameter such as `next`, to go to afterwards. It never leads to another origin. */
export function pathOfThisSite(next = "/"): string {
  // Browsers drop tabs and line breaks from a URL, and read `//` and `/\` as the start of a host name.
  if (!/^\/(?![/\\])[^\t\n\r]*$/.test(next)) return "/";
  const { pathname, search, hash } = new URL(next, "http://this.site");
  // For example, the URL parser makes `//example.com` of `/.//example.com`.
  return pathname.startsWith("//") ? "/" : pathname + search + hash;
}

/** Returns how people can sign in, which depends on the settings. */
export const signInOptions = () => ({
  /** In development without settings mail is printed. */
  sendsEmail: env.SMTP_URL !== undefined || process.env.NODE_ENV === "development",
  providers: [
    ...(env.GITHUB_CLIENT_ID ? [{ id: "github", name: "GitHub" } as const] : []),
    ...(env.GOOGLE_CLIENT_ID ? [{ id: "google", name: "Google" } as const] : []),
  ],
});

export type Provider = ReturnType<typeof signInOptions>["providers"][number];

/** Returns the first value of a search parameter, which a URL may have several times. */
export const first = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value;

/**
 * Makes an API with which server components call the app's functions without HTTP:
 *
 *     const api = createServerApi(app);
 *     await queryClient().prefetchQuery(api.files.list.queryOptions());
 */
export const createServerApi = <Router extends AnyTRPCRouter>({ router }: { router: Router }) =>
  createTRPCOptionsProxy<Router>({ router, queryClient, ctx: requestContext });

async function readViewer(): Promise<Viewer | null> {
  const identity = await viewer();
  if (!identity) return null;
  const { subject: id, name = "", email = null } = identity;
  return { id, name, email, isAdmin: email !== null && (await isAdmin(identity)) };
}

/** Prefetches who is signed in, for `useViewer`. */
export const prefetchViewer = async () =>
  void queryClient().setQueryData(viewerQuery.queryKey, await readViewer(), { updatedAt: 0 });

/** Passes prefetched results on to the client components below, so that they render with them at once. */
export async function Prefetched({ children }: { children: ReactNode }) {
  const { reads } = await requestContext();
  return (
    <HydrationBoundary state={dehydrate(queryClient())}>
      <CatchUp position={position()} reads={formatReads(reads)} />
      {children}
    </HydrationBoundary>
  );
}
