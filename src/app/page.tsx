import { Prefetched, queryClient } from "~/kit/pages";
import { Chat } from "./_chat/chat";
import { messageList } from "./_chat/message-list-query";
import { api } from "./prefetch";

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
