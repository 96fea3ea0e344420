import { ChevronLeft, ChevronRight } from "lucide-react";
import { useState } from "react";

/** The way through pages by cursor: where one is, and how one came there. Another `key` begins at the first page. */
export function useCursors(key: string) {
  const [state, setState] = useState<{ key: string; cursors: string[] }>({ key, cursors: [] });
  const cursors = state.key === key ? state.cursors : [];
  return {
    cursor: cursors.at(-1) ?? null,
    /** From 1. */
    number: cursors.length + 1,
    back: () => setState({ key, cursors: cursors.slice(0, -1) }),
    forward: (next: string) => setState({ key, cursors: [...cursors, next] }),
  };
}

interface PagerProps {
  cursors: ReturnType<typeof useCursors>;
  nextCursor: string | null | undefined;
}

export function Pager({ cursors: { number, back, forward }, nextCursor }: PagerProps) {
  if (number === 1 && !nextCursor) return null;
  return (
    <nav aria-label="Pages of the list" className="flex items-center justify-end gap-1 pt-2">
      <button type="button" onClick={back} disabled={number === 1} className="icon-button disabled:opacity-40">
        <ChevronLeft aria-hidden="true" className="size-5" />
        <span className="sr-only">Previous page</span>
      </button>
      <p role="status" className="text-muted text-sm tabular-nums">
        Page {number}
      </p>
      <button
        type="button"
        onClick={() => nextCursor && forward(nextCursor)}
        disabled={!nextCursor}
        className="icon-button disabled:opacity-40"
      >
        <ChevronRight aria-hidden="true" className="size-5" />
        <span className="sr-only">Next page</span>
      </button>
    </nav>
  );
}
