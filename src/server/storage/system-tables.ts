import { TRPCError } from "@trpc/server";
import type { Prisma } from "~/generated/prisma/client";
import type { Transaction } from "../transaction";
import { parseStorageId } from "./storage-id";

/** A document of the `_storage` system table. */
export interface FileMetadata {
  _id: string;
  /** Milliseconds since the epoch. */
  _creationTime: number;
  /** Lower-case hex. */
  sha256: string;
  /** Bytes. */
  size: number;
  /** As sent with the upload; `null` when none was. */
  contentType: string | null;
}

/** `ctx.db.system`: reads the tables that only the kit writes. */
export interface SystemTables {
  /** The metadata of a file, or `null` when there is none of that id. */
  get(storageId: string): Promise<FileMetadata | null>;
  /** Reads many: `db.system.query("_storage").order("desc").take(10)`. */
  query(table: "_storage"): SystemQuery;
}

/** Documents by creation time, oldest first unless `order("desc")`. Each method returns a new query. */
export interface SystemQuery {
  order(direction: "asc" | "desc"): SystemQuery;
  /** Only documents created at `from` or later, and before `before`; milliseconds since the epoch. */
  created(range: { from?: number; before?: number }): SystemQuery;
  /** The first `count` documents. */
  take(count: number): Promise<FileMetadata[]>;
  first(): Promise<FileMetadata | null>;
  /** A page, and the cursor of the next; it costs the same however far back it is. */
  paginate(page: { limit: number; cursor?: string | null }): Promise<SystemPage>;
}

export interface SystemPage {
  page: FileMetadata[];
  /** `null` on the last page. */
  nextCursor: string | null;
}

type Run = Transaction["run"];

export function systemTables(run: Run): SystemTables {
  return {
    async get(storageId) {
      const id = parseStorageId(storageId);
      const row = await run((client) => client.storage.findUnique({ where: { id } }));
      return row && toMetadata(row);
    },
    query: () => systemQuery(run, "asc", {}),
  };
}

function systemQuery(run: Run, direction: "asc" | "desc", range: { from?: number; before?: number }): SystemQuery {
  const read = async (count: number, after?: Position) => {
    const rows = await run((client) =>
      client.storage.findMany({
        where: { AND: [inRange(range), after ? beyond(after, direction) : {}] },
        orderBy: [{ creationTime: direction }, { id: direction }],
        take: count,
      }),
    );
    return rows.map(toMetadata);
  };
  return {
    order: (next) => systemQuery(run, next, range),
    created: (next) => systemQuery(run, direction, next),
    take: (count) => read(count),
    first: async () => (await read(1))[0] ?? null,
    async paginate({ limit, cursor }) {
      // One more than asked for tells whether there is a next page.
      const found = await read(limit + 1, cursor ? parseCursor(cursor) : undefined);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return { page, nextCursor: found.length > limit && last ? `${last._creationTime}_${last._id}` : null };
    },
  };
}

/** The place of a document in the order; the id parts those of one millisecond. */
interface Position {
  creationTime: Date;
  id: string;
}

const inRange = ({ from, before }: { from?: number; before?: number }): Prisma.StorageWhereInput => ({
  creationTime: {
    gte: from === undefined ? undefined : new Date(from),
    lt: before === undefined ? undefined : new Date(before),
  },
});

function beyond({ creationTime, id }: Position, direction: "asc" | "desc"): Prisma.StorageWhereInput {
  const than = direction === "asc" ? "gt" : "lt";
  // The first condition says nothing new; it is the one PostgreSQL can start an index scan from.
  return {
    creationTime: { [`${than}e`]: creationTime },
    OR: [{ creationTime: { [than]: creationTime } }, { creationTime, id: { [than]: id } }],
  };
}

function parseCursor(cursor: string): Position {
  const [time = "", id] = cursor.split("_");
  const creationTime = new Date(Number(time));
  if (!/^\d+$/.test(time) || Number.isNaN(creationTime.getTime())) {
    throw new TRPCError({ code: "BAD_REQUEST", message: `Invalid cursor ${JSON.stringify(cursor)}; use a nextCursor` });
  }
  return { creationTime, id: parseStorageId(id) };
}

/** A `_storage` row as functions see it. */
export function toMetadata(row: {
  id: string;
  creationTime: Date;
  sha256: string;
  size: bigint;
  contentType: string | null;
}): FileMetadata {
  return {
    _id: row.id,
    _creationTime: row.creationTime.getTime(),
    sha256: row.sha256,
    size: Number(row.size),
    contentType: row.contentType,
  };
}
