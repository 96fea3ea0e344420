import type { FetchQueryOptions, QueryKey } from "@tanstack/react-query";
import { TRPCError } from "@trpc/server";
import { redirect } from "next/navigation";
import { app } from "~/functions";
import { createServerApi, orNotFound, queryClient } from "~/kit/pages";

/** Calls functions from a server component: `queryClient().prefetchQuery(api.files.list.queryOptions())` */
export const api = createServerApi(app);

/**
 * Returns the result of a query for the page at `path`. Client components below `Prefetched` then render with it at once.
 * Sends callers without an identity to the sign-in page, which leads back. Shows the 404 page when the result is `null` or
 * NOT_FOUND, and when the arguments are invalid, because an id in an address may be mistyped.
 *
 *     const note = await prefetch(api.notes.get.queryOptions({ noteId }), `/notes/${noteId}`);
 */
export function prefetch<Data, Failure, Result, Key extends QueryKey>(
  query: FetchQueryOptions<Data, Failure, Result, Key>,
  path: string,
): Promise<NonNullable<Result>> {
  const answer = queryClient().fetchQuery(query);
  return orNotFound(
    answer.catch((error: unknown) => {
      if (!(error instanceof TRPCError && error.code === "UNAUTHORIZED")) throw error;
      redirect(`/sign-in?next=${encodeURIComponent(path)}`);
    }),
  );
}
