import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTRPC } from "~/components/api";
import { messageList } from "./message-list-query";

/** Loads messages page by page. Returns them oldest first. */
export function useMessages() {
  const trpc = useTRPC();
  const query = useInfiniteQuery(trpc.messages.list.infiniteQueryOptions(messageList.input, messageList.options));
  const messages = useMemo(() => [...(query.data?.pages ?? [])].reverse().flatMap(({ page }) => page), [query.data]);
  return { messages, query };
}

export type Messages = ReturnType<typeof useMessages>;
