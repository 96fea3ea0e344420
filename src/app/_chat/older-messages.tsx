import { LoaderCircle } from "lucide-react";
import { type RefObject, useEffect, useEffectEvent, useRef } from "react";
import type { Messages } from "./use-messages";

/** The top of the list, which loads older messages before it is scrolled to. Its height never changes. */
export function OlderMessages({
  query,
  scroller,
}: Pick<Messages, "query"> & { scroller: RefObject<HTMLElement | null> }) {
  const top = useRef<HTMLDivElement>(null);
  const isReady = query.hasNextPage && !query.isFetching && !query.isFetchNextPageError;
  const load = useEffectEvent(() => void query.fetchNextPage());

  // A new observer whenever it is ready again reports at once if the top is still near.
  useEffect(() => {
    if (!isReady || !top.current) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && load(), {
      root: scroller.current,
      rootMargin: "600px 0px 0px 0px",
    });
    observer.observe(top.current);
    return () => observer.disconnect();
  }, [isReady, scroller]);

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
