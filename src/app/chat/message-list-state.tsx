import { MessagesSquare } from "lucide-react";
import { Empty, Failed, Loading } from "~/kit/client";
import type { Messages } from "./use-messages";

/** Replaces the list when there are no messages to show. */
export function MessageListState({ query }: Pick<Messages, "query">) {
  if (query.isPending) return <Loading>Loading messages…</Loading>;
  if (query.isError) {
    return <Failed title="The messages could not be loaded" error={query.error} onRetry={() => void query.refetch()} />;
  }
  return (
    <Empty icon={MessagesSquare} title="No messages yet">
      Write the first one, or drop a picture anywhere on this page.
    </Empty>
  );
}
