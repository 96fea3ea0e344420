import type { FetchQueryOptions, QueryKey } from "@tanstack/react-query";
import { TRPCError } from "@trpc/server";
import { redirect } from "next/navigation";
import { app } from "~/functions";
import { createServerApi, orNotFound, queryClient } from "~/kit/pages";

/** Calls functions from a server component: `queryClient().prefetchQuery(api.files.list.queryOptions())` */
export const api = createServerApi(app);

/**
 * What a function answers, for the page at `path`, whose client components then render with it at once. Someone without an
 * identity is sent to the sign-in, and from there back. The page is a 404 when the answer is `null` or NOT_FOUND, or when
 * the arguments are invalid, because anybody may write any id into an address.
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
