import { LoaderCircle, type LucideIcon, TriangleAlert } from "lucide-react";
import { type ReactNode, type RefObject, useEffect, useEffectEvent, useRef } from "react";
import { explainError } from "../viewer";

/** Shown in place of a list while it loads. `Empty` and `Failed` are shown when it has no rows or could not be loaded. */
export function Loading({ children }: { children: string }) {
  return (
    <p role="status" className="m-auto flex items-center gap-2 p-6 text-muted text-sm">
      <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
      {children}
    </p>
  );
}

interface EmptyProps {
  icon: LucideIcon;
  title: string;
  children: ReactNode;
}

export function Empty({ icon: Icon, title, children }: EmptyProps) {
  return (
    <div className="m-auto flex flex-col items-center gap-2 p-6 text-center">
      <span className="mb-2 grid size-16 place-items-center rounded-full bg-sunken text-muted">
        <Icon aria-hidden="true" className="size-7" />
      </span>
      <p className="font-semibold text-lg">{title}</p>
      <p className="max-w-80 text-balance text-muted text-sm">{children}</p>
    </div>
  );
}

interface FailedProps {
  title: string;
  error: unknown;
  onRetry: () => void;
}

export function Failed({ title, error, onRetry }: FailedProps) {
  return (
    <div role="alert" className="m-auto flex flex-col items-center gap-2 p-6 text-center">
      <TriangleAlert aria-hidden="true" className="mb-1 size-8 text-danger" />
      <p className="font-semibold">{title}</p>
      <p className="wrap-anywhere text-muted text-sm">{explainError(error)}</p>
      <button type="button" onClick={onRetry} className="button button-quiet mt-3">
        Try again
      </button>
    </div>
  );
}

/** Says why something failed. Shows nothing without an error. */
export function ErrorText({ error, className = "" }: { error: unknown; className?: string }) {
  if (error === null || error === undefined) return null;
  return (
    <p role="alert" className={`wrap-anywhere text-danger text-sm ${className}`}>
      {explainError(error)}
    </p>
  );
}

/** Covers the page while files are dragged over it. */
export function DropHint({ icon: Icon, children }: { icon: LucideIcon; children: string }) {
  return (
    <div className="pointer-events-none fixed inset-0 z-20 grid place-items-center bg-canvas/85 p-6 backdrop-blur-sm">
      <p className="flex flex-col items-center gap-3 rounded-3xl border-2 border-accent border-dashed bg-surface px-14 py-12 font-medium text-lg shadow-raised">
        <Icon aria-hidden="true" className="size-8 text-accent" />
        {children}
      </p>
    </div>
  );
}

interface MoreRowsProps {
  /** The result of `useInfiniteQuery`. */
  query: { hasNextPage: boolean; isFetching: boolean; isFetchNextPageError: boolean; fetchNextPage: () => unknown };
  /** What the list shows, for example `"files"`. */
  things: string;
  /** The element that scrolls. Default: the page. */
  scroller?: RefObject<HTMLElement | null>;
  /** Shown when there are no more. */
  children?: ReactNode;
}

/** The end of a list. It loads the next page before people scroll to it, and its height never changes. */
export function MoreRows({ query, things, scroller, children }: MoreRowsProps) {
  const { hasNextPage, isFetching, isFetchNextPageError } = query;
  const element = useRef<HTMLDivElement>(null);
  const isReady = hasNextPage && !isFetching && !isFetchNextPageError;
  const load = useEffectEvent(() => void query.fetchNextPage());
  // Each time `isReady` becomes true, a new observer reports at once when the element is still near.
  useEffect(() => {
    if (!isReady || !element.current) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && load(), {
      root: scroller?.current,
      rootMargin: "600px 0px 600px 0px",
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [isReady, scroller]);

  return (
    <div ref={element} className="flex h-16 items-center justify-center gap-2 text-muted text-sm">
      {isFetchNextPageError ? (
        <p role="alert">
          More {things} could not be loaded.{" "}
          <button type="button" onClick={() => void query.fetchNextPage()} className="h-11 px-1 text-accent underline">
            Try again
          </button>
        </p>
      ) : hasNextPage ? (
        <>
          <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
          Loading more {things}…
        </>
      ) : (
        children
      )}
    </div>
  );
}
