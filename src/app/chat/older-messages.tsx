import { LoaderCircle } from "lucide-react";
import { type RefObject, useRef } from "react";
import { useNearView } from "~/kit/client";
import type { Messages } from "./use-messages";

/** The top of the list. It loads older messages before the viewer scrolls to it, and its height never changes. */
export function OlderMessages({
  query,
  scroller,
}: Pick<Messages, "query"> & { scroller: RefObject<HTMLElement | null> }) {
  const top = useRef<HTMLDivElement>(null);
  const isReady = query.hasNextPage && !query.isFetching && !query.isFetchNextPageError;
  useNearView(top, { isReady, onNear: () => void query.fetchNextPage(), scroller });

  return (
    <div ref={top} className="flex h-16 items-center justify-center gap-2 text-muted text-sm">
      {query.isFetchNextPageError ? (
        <p role="alert">
          Older messages could not be loaded.{" "}
          <button type="button" onClick={() => void query.fetchNextPage()} className="h-11 px-1 text-accent underline">
            Try again
          </button>
        </p>
      ) : query.hasNextPage ? (
        <>
          <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
          Loading older messages…
        </>
      ) : (
        "This is where the conversation begins."
      )}
    </div>
  );
}
