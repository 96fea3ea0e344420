import type { Metadata } from "next";
import { Prefetched, queryClient } from "~/kit/pages";
import { api } from "../prefetch";
import { Chat } from "./chat";
import { messageList } from "./message-list-query";

export const metadata: Metadata = { title: "Chat" };

export default async function ChatPage() {
  await queryClient().prefetchInfiniteQuery(
    api.messages.list.infiniteQueryOptions(messageList.input, messageList.options),
  );
  return (
    <Prefetched>
      <Chat />
    </Prefetched>
  );
}
