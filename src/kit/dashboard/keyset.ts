import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { Prisma } from "~/generated/prisma/client";
import { quote } from "../log/text";

/** Arguments of a list: a page of it, and which one. */
export const pageArgs = { limit: z.int().min(1).max(100).default(50), cursor: z.string().max(100).nullish() };

export type Direction = "asc" | "desc";

interface Order {
  /** What is sorted by, then `id`; an index on both lets a page cost the same however far back it is. */
  column: Prisma.Sql;
  id: Prisma.Sql;
  /** Whether the column is a time; otherwise it is a number. */
  isTime: boolean;
  direction: Direction;
  cursor?: string | null;
}

/** The SQL of one page, by keyset: a condition for rows after the cursor, and their order. */
export function keyset({ cursor, ...order }: Order) {
  const { column, id, direction } = order;
  const way = Prisma.raw(direction);
  return {
    after: cursor ? beyond(cursor, order) : Prisma.sql`true`,
    orderBy: Prisma.sql`ORDER BY ${column} ${way}, ${id} ${way}`,
  };
}

function beyond(cursor: string, { column, id, isTime, direction }: Omit<Order, "cursor">): Prisma.Sql {
  const [, value = "", last = ""] = /^(\d{1,16})_([0-9a-f-]{36})$/.exec(cursor) ?? [];
  if (!last) {
    throw new TRPCError({ code: "BAD_REQUEST", message: `Invalid cursor ${quote(cursor)}; use a nextCursor` });
  }
  const from = isTime ? new Date(Number(value)) : Number(value);
  return Prisma.sql`(${column}, ${id}) ${Prisma.raw(direction === "asc" ? ">" : "<")} (${from}, ${last}::uuid)`;
}

/** Cuts what was read with one row more than asked for into the page and the cursor of the next. */
export function toPage<Row>(rows: Row[], limit: number, cursorOf: (row: Row) => { value: number; id: string }) {
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  const cursor = last && cursorOf(last);
  return { page, nextCursor: cursor ? `${cursor.value}_${cursor.id}` : null };
}
