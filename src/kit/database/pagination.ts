import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { Prisma } from "~/generated/prisma/client";
import { quote } from "../log/text";

/** Arguments of a function that returns a page at a time: `args: { ...pageArgs }`. */
export const pageArgs = {
  limit: z.int().min(1).max(100).default(50),
  /** The `nextCursor` of the previous page. */
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
  const found = await findMany({ take: limit + 1, ...(cursor && { where: { id: { lt: cursor } } }) });
  const { page: rows, nextCursor } = toPage(found, limit, ({ id }) => id);
  return { rows, nextCursor };
}

/** Splits what was read, one row more than the page has, into the page and the cursor of the next one. */
export function toPage<Row>(found: Row[], limit: number, cursorOf: (row: Row) => string) {
  const page = found.slice(0, limit);
  const last = found.length > limit ? page.at(-1) : undefined;
  return { page, nextCursor: last === undefined ? null : cursorOf(last) };
}

/** A row's place in a list that is sorted by a number, or by a time in milliseconds since the epoch, and then by id. */
interface Position {
  value: number;
  id: string;
}

export const formatCursor = ({ value, id }: Position): string => `${value}_${id}`;

/** The latest time that a `Date` can hold. */
const maxValue = 8.64e15;

/** @throws TRPCError `BAD_REQUEST` for anything but what `formatCursor` returned */
export function parseCursor(cursor: string): Position {
  const [, value, id = ""] = /^(\d{1,16})_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(cursor) ?? [];
  if (value === undefined || Number(value) > maxValue) {
    throw new TRPCError({
      code: "BAD_REQUEST",
      message: `Invalid cursor ${quote(cursor)}. Pass the nextCursor of a page.`,
    });
  }
  return { value: Number(value), id };
}

export type Direction = "asc" | "desc";

/** Arguments of a list that `sortedPage` reads. */
export const sortedPageArgs = { ...pageArgs, cursor: z.string().max(100).nullish() };

interface Order {
  /** Sorts the rows, and `_id` those of one value. An index on both makes each page cost the same. */
  column: Prisma.Sql;
  /** Whether the column is a time. Otherwise it is a number. */
  isTime: boolean;
  direction: Direction;
  cursor?: string | null;
}

/** The SQL of one page by keyset: a condition for the rows after the cursor, and their order. */
export function sortedPage({ column, isTime, direction, cursor }: Order) {
  const orderBy = Prisma.sql`ORDER BY ${column} ${Prisma.raw(direction)}, "_id" ${Prisma.raw(direction)}`;
  if (!cursor) return { after: Prisma.sql`true`, orderBy };
  const { value, id } = parseCursor(cursor);
  const from = isTime ? new Date(value) : value;
  const than = Prisma.raw(direction === "asc" ? ">" : "<");
  return { after: Prisma.sql`(${column}, "_id") ${than} (${from}, ${id}::uuid)`, orderBy };
}
