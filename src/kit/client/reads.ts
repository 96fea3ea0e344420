import type { TRPCLink } from "@trpc/client";
import type { AnyTRPCRouter } from "@trpc/server";
import { observable } from "@trpc/server/observable";

/** The tables that queries have read, by path, as the server tells with each answer. */
const reads = new Map<string, Set<string>>();

/** Whether a query may read one of these tables. One of which nothing is known yet may: the server rendered it. */
export function hasRead(path: string, tables: readonly string[]): boolean {
  const read = reads.get(path);
  return !read || read.has("*") || tables.some((table) => read.has(table));
}

/** Remembers what the answers say was read. */
export const noteReads: TRPCLink<AnyTRPCRouter> = () => {
  return ({ op, next }) =>
    observable((observer) =>
      next(op).subscribe({
        ...observer,
        next(answer) {
          note(answer.context?.response);
          observer.next(answer);
        },
      }),
    );
};

function note(response: unknown) {
  const header = response instanceof Response ? response.headers.get("Live-Reads") : null;
  for (const [path, table] of new URLSearchParams(header ?? "")) {
    reads.set(path, (reads.get(path) ?? new Set()).add(table));
  }
}
