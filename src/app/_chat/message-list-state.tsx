import { LoaderCircle, MessagesSquare, TriangleAlert } from "lucide-react";
import { explainError } from "~/client/explain-error";
import type { Messages } from "./use-messages";

/** What stands in the place of messages when there are none. */
export function MessageListState({ query }: Pick<Messages, "query">) {
  if (query.isPending) {
    return (
      <p role="status" className="m-auto flex items-center gap-2 text-muted text-sm">
        <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
        Loading messages…
      </p>
    );
  }
  if (query.isError) {
    return (
      <div role="alert" className="m-auto flex flex-col items-center gap-2 p-6 text-center">
        <TriangleAlert aria-hidden="true" className="mb-1 size-8 text-danger" />
        <p className="font-semibold">The messages could not be loaded</p>
        <p className="text-muted text-sm">{explainError(query.error)}</p>
        <button
          type="button"
          onClick={() => void query.refetch()}
          className="mt-3 h-11 rounded-full border border-line-strong bg-surface px-5 font-medium text-sm hover:bg-sunken"
        >
          Try again
        </button>
      </div>
    );
  }
  return (
    <div className="m-auto flex flex-col items-center gap-2 p-6 text-center">
      <span className="mb-2 grid size-16 place-items-center rounded-full bg-sunken text-muted">
        <MessagesSquare aria-hidden="true" className="size-7" />
      </span>
      <p className="font-semibold text-lg">No messages yet</p>
      <p className="max-w-80 text-balance text-muted text-sm">
        Write the first one, or drop a picture anywhere on this page.
      </p>
    </div>
  );
}
