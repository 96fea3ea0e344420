import type { ReactNode } from "react";
import { Avatar } from "~/components/avatar";
import { Timestamp } from "~/kit/client";

interface EntryItemProps {
  author: string;
  /** Milliseconds since the epoch. */
  at: number;
  /** Whether to show the author and the time. Only the first entry of a run does. Screen readers get them for each. */
  isFirstOfRun: boolean;
  isText: boolean;
  /** Whether the entry is still being sent. */
  isPending: boolean;
  children: ReactNode;
  /** The buttons of the entry. */
  action?: ReactNode;
}

/** One entry of the list. Each text has its own row. The pictures of a run stand side by side. */
export function EntryItem({ author, at, isFirstOfRun, isText, isPending, children, action }: EntryItemProps) {
  const column = isText ? "col-span-full" : isFirstOfRun ? "col-start-1" : "";
  const distance = isFirstOfRun ? "mt-5" : isText ? "mt-1" : "mt-2";
  return (
    <li aria-busy={isPending} className={`group/entry relative min-w-0 ${column} ${distance}`}>
      {isFirstOfRun && <Avatar name={author} className="absolute top-0.5 -left-12 size-9" />}
      <p className={isFirstOfRun ? `flex items-baseline gap-2 ${isText ? "mb-0.5" : "mb-1.5"}` : "sr-only"}>
        <span dir="auto" className="truncate font-semibold text-sm">
          {author}
        </span>
        <Timestamp at={at} />
      </p>
      {isText ? (
        <div className="flex items-start gap-1 has-[button]:pointer-coarse:min-h-11">
          <p
            dir="auto"
            className="wrap-anywhere min-w-0 max-w-prose whitespace-pre-wrap text-[0.9375rem] leading-6 in-aria-busy:text-muted"
          >
            {children}
          </p>
          {action}
        </div>
      ) : (
        <div className="relative">
          {children}
          {action}
        </div>
      )}
    </li>
  );
}
