import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTRPC } from "~/client/trpc";
import { messageList } from "./message-list-query";

const refetchEvery = 3_000;

/** The messages loaded so far, oldest first. */
export function useMessages() {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const query = useInfiniteQuery({
    ...trpc.messages.list.infiniteQueryOptions(messageList.input, messageList.options),
    // A refetch asks for every page that is on screen: the more there are, the rarer.
    refetchInterval: ({ state }) => refetchEvery * (state.data?.pages.length ?? 1),
  });
  const messages = useMemo(() => query.data?.pages.toReversed().flatMap(({ page }) => page) ?? [], [query.data]);
  return {
    messages,
    query,
    /** Resolves when the newest messages are on screen. */
    refresh: () => queryClient.invalidateQueries(trpc.messages.list.infiniteQueryFilter()),
  };
}

export type Messages = Pick<ReturnType<typeof useMessages>, "messages" | "query">;
