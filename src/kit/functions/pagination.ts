import { z } from "zod";

/** Arguments of a function that answers a page at a time: `args: { ...pageArgs }`. */
export const pageArgs = {
  limit: z.int().min(1).max(100).default(50),
  /** The `nextCursor` of the page before. */
  cursor: z.uuid().nullish(),
};

interface Keyset {
  take: number;
  where?: { id: { lt: string } };
}

/**
 * Reads one page by keyset, newest first, so that a page costs the same however far back it is. `findMany` orders by
 * `{ id: "desc" }`: ids are UUIDv7, which sort by time. `nextCursor` is `null` on the last page.
 */
export async function paginate<Row extends { id: string }>(
  { limit, cursor }: { limit: number; cursor?: string | null },
  findMany: (keyset: Keyset) => PromiseLike<Row[]>,
): Promise<{ rows: Row[]; nextCursor: string | null }> {
  // One more than asked for tells whether there is a next page.
  const found = await findMany({ take: limit + 1, ...(cursor && { where: { id: { lt: cursor } } }) });
  const rows = found.slice(0, limit);
  return { rows, nextCursor: found.length > limit ? (rows.at(-1)?.id ?? null) : null };
}
