import { TRPCError } from "@trpc/server";
import { type ScheduledFunctionDocument, toScheduledFunction } from "../jobs/scheduled-function";
import { quote } from "../log/text";
import { type FileMetadata, toMetadata } from "../storage/file-metadata";
import { parseStorageId } from "../storage/storage-id";
import type { NoteReads } from "./db";
import type { Transaction } from "./transaction";

/** `ctx.db.system`: reads the tables that only the kit writes. */
export interface SystemTables {
  /** The metadata of a file, or `null` when there is none of that id. */
  get(storageId: string): Promise<FileMetadata | null>;
  /** Reads many: `db.system.query("_storage").order("desc").take(10)`. */
  query(table: "_storage"): SystemQuery<FileMetadata>;
  query(table: "_scheduled_functions"): SystemQuery<ScheduledFunctionDocument>;
}

export function systemTables(run: Transaction["run"], noteReads?: NoteReads): SystemTables {
  const files = systemQuery((keyset) => {
    noteReads?.(["_storage"]);
    return run(async (client) => (await client.storage.findMany(keyset)).map(toMetadata));
  });
  const jobs = systemQuery((keyset) => {
    noteReads?.(["_scheduled_functions"]);
    return run(async (client) => (await client.scheduledFunction.findMany(keyset)).map(toScheduledFunction));
  });
  function query(table: "_storage"): SystemQuery<FileMetadata>;
  function query(table: "_scheduled_functions"): SystemQuery<ScheduledFunctionDocument>;
  function query(table: string): SystemQuery<FileMetadata> | SystemQuery<ScheduledFunctionDocument> {
    return table === "_storage" ? files : jobs;
  }
  return {
    async get(storageId) {
      const id = parseStorageId(storageId);
      noteReads?.(["_storage"]);
      const row = await run((client) => client.storage.findUnique({ where: { id } }));
      return row && toMetadata(row);
    },
    query,
  };
}

type Direction = "asc" | "desc";

/** Documents by creation time, oldest first unless `order("desc")`. Each method returns a new query. */
interface SystemQuery<Document> {
  order(direction: Direction): SystemQuery<Document>;
  /** Only documents created at `from` or later, and before `before`; milliseconds since the epoch. */
  created(range: { from?: number; before?: number }): SystemQuery<Document>;
  /** The first `count` documents. */
  take(count: number): Promise<Document[]>;
  first(): Promise<Document | null>;
  /** A page, and the cursor of the next (`null` after the last); it costs the same however far back it is. */
  paginate(page: { limit: number; cursor?: string | null }): Promise<{ page: Document[]; nextCursor: string | null }>;
}

/** What Prisma is asked for. */
interface Keyset {
  where: { AND: Condition[] };
  orderBy: [{ creationTime: Direction }, { id: Direction }];
  take: number;
}

interface Condition {
  creationTime?: Date | Partial<Record<"gt" | "gte" | "lt" | "lte", Date>>;
  id?: Partial<Record<"gt" | "lt", string>>;
  OR?: Condition[];
}

interface Options {
  direction: Direction;
  range: { from?: number; before?: number };
}

/** A query of a table with `creationTime` and `id`, and an index on both. */
function systemQuery<Document extends { _id: string; _creationTime: number }>(
  findMany: (keyset: Keyset) => Promise<Document[]>,
  { direction, range }: Options = { direction: "asc", range: {} },
): SystemQuery<Document> {
  const read = (take: number, after: Condition = {}) =>
    findMany({
      where: { AND: [inRange(range), after] },
      orderBy: [{ creationTime: direction }, { id: direction }],
      take,
    });
  return {
    order: (next) => systemQuery(findMany, { direction: next, range }),
    created: (next) => systemQuery(findMany, { direction, range: next }),
    take: (count) => read(count),
    first: async () => (await read(1))[0] ?? null,
    async paginate({ limit, cursor }) {
      // One more than asked for tells whether there is a next page.
      const found = await read(limit + 1, cursor ? beyond(cursor, direction) : {});
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return { page, nextCursor: found.length > limit && last ? `${last._creationTime}_${last._id}` : null };
    },
  };
}

const inRange = ({ from, before }: Options["range"]): Condition => ({
  creationTime: {
    ...(from !== undefined && { gte: new Date(from) }),
    ...(before !== undefined && { lt: new Date(before) }),
  },
});

/** What comes after the cursor's document; the id parts those of one millisecond. */
function beyond(cursor: string, direction: Direction): Condition {
  const [time = "", id] = cursor.split("_");
  const creationTime = new Date(Number(time));
  if (!/^\d+$/.test(time) || Number.isNaN(creationTime.getTime())) {
    throw new TRPCError({ code: "BAD_REQUEST", message: `Invalid cursor ${quote(cursor)}; use a nextCursor` });
  }
  const than = direction === "asc" ? "gt" : "lt";
  return {
    // This says nothing that OR does not; it is what PostgreSQL can start an index scan from.
    creationTime: { [`${than}e`]: creationTime },
    OR: [{ creationTime: { [than]: creationTime } }, { creationTime, id: { [than]: parseStorageId(id) } }],
  };
}
