import type { Query, QueryClient } from "@tanstack/react-query";

/** Marks what it applies to as out of date, and asks again for what of it is on screen. */
export function refresh(
  queryClient: QueryClient,
  applies: (path: string, query: Query) => boolean,
  isLost: (query: Query) => boolean = () => false,
) {
  for (const query of queryClient.getQueryCache().getAll()) {
    const path = pathOf(query);
    if (path !== null && applies(path, query)) void refetch(queryClient, query, isLost(query));
  }
}

async function refetch(queryClient: QueryClient, query: Query, isLost: boolean) {
  // An answer under way may be from before the change. It is awaited rather than given up, or a steady stream of changes
  // would let none come through; those that come meanwhile lead to one request together. One that is lost, or that failed
  // and is going to be asked for again some time, is given up.
  const cancelRefetch = isLost || query.state.fetchFailureCount > 0;
  if (!cancelRefetch) await query.promise?.catch(() => undefined);
  await queryClient.invalidateQueries({ queryKey: query.queryKey, exact: true }, { cancelRefetch });
}

/** `messages.list` of a server function; `null` of what is not live. What reads elsewhere is when its `meta` says so. */
function pathOf({ queryKey: [path], queryHash, meta }: Query): string | null {
  if (Array.isArray(path)) return path.join(".");
  return meta?.isLive ? queryHash : null;
}
