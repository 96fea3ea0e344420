import type { RequestContext } from "../functions/request-context";
import { type ScheduledFunctionDocument, toScheduledFunction } from "../jobs/rows";
import { parseJobId } from "../jobs/scheduler";
import { tablesRead } from "../live/reads";
import { limits } from "../process/limits";
import { type FileMetadata, parseStorageId, toMetadata } from "../storage/file";
import type { Client } from "./database";
import type { Id } from "./ids";
import { type Direction, formatCursor, parseCursor, toPage } from "./pagination";
import type { Transaction } from "./transaction";

const readOperations = [
  "findUnique",
  "findUniqueOrThrow",
  "findFirst",
  "findFirstOrThrow",
  "findMany",
  "count",
  "aggregate",
  "groupBy",
] as const;
const rawReads = ["$queryRaw", "$queryRawUnsafe"] as const;
/** The kit's own tables, which functions do not need. */
const hidden = [
  "unownedBlob",
  "spentUpload",
  "storageVariant",
  "storageTotal",
  "scheduledFunction",
  "endedJob",
  "jobKey",
  "systemState",
  "change",
  "call",
  "callCount",
  "session",
  "account",
  "verification",
  "jwks",
  "rateLimit",
  "adoption",
] as const;
/** Functions read these, and only the kit writes them. */
const readOnly = ["storage", "user"] as const;

type Hidden = (typeof hidden)[number] | "$transaction";
type Model = Exclude<keyof Client, `$${string}` | Hidden | symbol>;
type Reads<M extends Model> = Pick<Client[M], Extract<(typeof readOperations)[number], keyof Client[M]>>;

/** `ctx.db` of a query: Prisma's client without the methods that write. */
export type ReadDb = { readonly [M in Model]: Reads<M> } & Pick<Client, (typeof rawReads)[number]> & {
    readonly system: SystemTables;
  };

/** `ctx.db` of a mutation: Prisma's client for the mutation's transaction. It cannot write `storage` and `user`. */
export type WriteDb = Omit<Client, Hidden | (typeof readOnly)[number]> &
  Pick<ReadDb, (typeof readOnly)[number] | "system">;

type Run = Transaction["run"];
/** A recorded property access or call, such as `.message` and `findMany(…)`, to replay on a client. */
type Step = { get: string } | { call: unknown[] };

/** Receives the names of tables that are read. */
type NoteReads = RequestContext["noteReads"];

/** A client that only reads: in a query's transaction, or in a mutation's. */
export function readDb(within: Transaction, noteReads?: NoteReads): ReadDb {
  const { run } = within;
  // SQL may write even when its first word is SELECT, so PostgreSQL has to refuse it.
  const runRaw: Run = within.onlyReads
    ? run
    : (statement) =>
        within.nest(async (savepoint) => {
          await savepoint.run((client) => client.$executeRaw`SET TRANSACTION READ ONLY`);
          return savepoint.run(statement);
        });
  const check = (target: string, operation?: string) => {
    const allowed: readonly string[] = operation === undefined ? rawReads : readOperations;
    if (!allowed.includes(operation ?? target)) {
      const call = ["ctx.db", target, operation].filter(Boolean).join(".");
      throw new Error(`Cannot call ${call} in a query, which only reads; use a mutation`);
    }
  };
  return replayed<ReadDb>(run, runRaw, check, noteReads);
}

/** A mutation's client: opens its transaction with the first statement. */
export function writeDb({ run }: Transaction): WriteDb {
  return replayed<WriteDb>(run, run, (target, operation = "") => {
    if (
      (readOnly as readonly string[]).includes(target) &&
      !(readOperations as readonly string[]).includes(operation)
    ) {
      throw new Error(`Cannot call ctx.db.${target}.${operation}: system tables are read-only`);
    }
  });
}

/**
 * Prisma's client by replay: property accesses and calls are recorded, and run on the real client when awaited. So `ctx.db`
 * can exist before its transaction does.
 */
function replayed<Db extends object>(
  run: Run,
  runRaw: Run,
  check: (target: string, operation?: string) => void,
  noteReads?: NoteReads,
): Db {
  const system = systemTables(run, noteReads);

  const record = (steps: Step[]): unknown => {
    const [target, operation] = steps.flatMap((step) => ("get" in step ? [step.get] : []));
    const isCall = steps.some((step) => "call" in step);
    let result: Promise<unknown> | undefined;
    const start = () => {
      const raw = target?.startsWith("$") ?? false;
      if (!result && noteReads) noteReads(tablesRead(target, callsOf(steps)));
      if (raw) refuseSessionCommands(callsOf(steps)[0]?.[0]);
      result ??= (raw ? runRaw : run)((client) => replay(client, steps));
      return result;
    };
    return new Proxy(callable, {
      get(_, key) {
        if (typeof key === "symbol") return undefined;
        if (steps.length === 0 && key === "system") return system;
        if (steps.length === 0 && (hidden as readonly string[]).includes(key)) return undefined;
        if (key === "then" || key === "catch" || key === "finally") {
          if (!isCall) return undefined;
          const promise = start();
          return promise[key].bind(promise);
        }
        return record([...steps, { get: key }]);
      },
      apply(_, __, args: unknown[]) {
        if (!isCall && target !== undefined) check(target, operation);
        return record([...steps, { call: args }]);
      },
    });
  };
  return record([]) as Db;
}

/** Commands that end the transaction, or change the connection for its next user. `SET LOCAL` does neither. */
const sessionCommand =
  /^(begin|start|commit|end|rollback|abort|savepoint|release|prepare|deallocate|listen|unlisten|discard|reset|set(?!\s+(local|constraints)\b))\b/i;

/** A raw statement is a single command (see connections.ts), so its first word says what it does. */
function refuseSessionCommands(statement: unknown): void {
  const sql = textOf(statement);
  const [command] = sessionCommand.exec(withoutComments(sql)) ?? [];
  if (command) {
    throw new Error(
      `Cannot run ${command.toUpperCase()} by ctx.db: the kit begins and ends transactions, and shares the connection`,
    );
  }
}

/** The SQL in the first argument of Prisma's raw calls: a string, the strings of a template, or a result of `Prisma.sql`. */
function textOf(statement: unknown): string {
  if (typeof statement === "string") return statement;
  if (Array.isArray(statement)) return statement.join("?");
  const sql = typeof statement === "object" && statement !== null && "sql" in statement ? statement.sql : "";
  return typeof sql === "string" ? sql : "";
}

/** The SQL from its first word on, without leading white space, empty statements and comments, which may be nested. */
function withoutComments(sql: string): string {
  let start = 0;
  for (;;) {
    const [blank = ""] = /^(?:[\s;]|--[^\n\r]*)*/.exec(sql.slice(start)) ?? [];
    start += blank.length;
    if (!sql.startsWith("/*", start)) return sql.slice(start, start + 100);
    let depth = 0;
    do {
      if (sql.startsWith("/*", start)) depth++;
      else if (sql.startsWith("*/", start)) depth--;
      else {
        start++;
        continue;
      }
      start += 2;
    } while (depth > 0 && start < sql.length);
  }
}

const callsOf = (steps: Step[]) => steps.flatMap((step) => ("call" in step ? [step.call] : []));

/** A proxy is callable only when its target is. */
const callable = () => undefined;

function replay(client: object, steps: Step[]): PromiseLike<unknown> {
  let owner: unknown;
  let value: unknown = client;
  for (const step of steps) {
    if ("get" in step) [owner, value] = [value, Reflect.get(value as object, step.get)];
    else value = Reflect.apply(value as () => unknown, owner, step.call);
  }
  return value as PromiseLike<unknown>;
}

/** `ctx.db.system`: reads the tables that only the kit writes. */
interface SystemTables {
  /** The metadata of a file, or `null` when no file has that id. */
  get(storageId: Id<"_storage">): Promise<FileMetadata | null>;
  get(table: "_storage", storageId: Id<"_storage">): Promise<FileMetadata | null>;
  /** A job, or `null` when no job has that id. Jobs that ended are deleted after seven days. */
  get(table: "_scheduled_functions", jobId: Id<"_scheduled_functions">): Promise<ScheduledFunctionDocument | null>;
  /** Reads many: `db.system.query("_storage").order("desc").take(10)`. */
  query(table: "_storage"): SystemQuery<FileMetadata>;
  query(table: "_scheduled_functions"): SystemQuery<ScheduledFunctionDocument>;
}

function systemTables(run: Transaction["run"], noteReads?: NoteReads): SystemTables {
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
  async function get(storageId: Id<"_storage">): Promise<FileMetadata | null>;
  async function get(table: "_storage", storageId: Id<"_storage">): Promise<FileMetadata | null>;
  async function get(
    table: "_scheduled_functions",
    jobId: Id<"_scheduled_functions">,
  ): Promise<ScheduledFunctionDocument | null>;
  async function get(...path: [string] | [string, string]) {
    const [table, given] = path.length === 2 ? path : ["_storage", path[0]];
    noteReads?.([table]);
    if (table === "_scheduled_functions") {
      const id = parseJobId(given);
      const row = await run((client) => client.scheduledFunction.findUnique({ where: { id } }));
      return row && toScheduledFunction(row);
    }
    const id = parseStorageId(given);
    const row = await run((client) => client.storage.findUnique({ where: { id } }));
    return row && toMetadata(row);
  }
  return {
    get,
    query,
  };
}

/**
 * Documents by creation time, oldest first unless `order("desc")`. Each method returns a new query. `for await` reads all
 * documents, in pages, so it needs little memory:
 *
 *     for await (const file of ctx.db.system.query("_storage")) bytes += file.size;
 */
interface SystemQuery<Document> extends AsyncIterable<Document> {
  order(direction: Direction): SystemQuery<Document>;
  /** Only documents created at `from` or later, and before `before`; milliseconds since the epoch. */
  created(range: { from?: number; before?: number }): SystemQuery<Document>;
  /** The first `count` documents. */
  take(count: number): Promise<Document[]>;
  first(): Promise<Document | null>;
  /** All documents. Throws when there are more than 1,000 (`limits.collectedRows`): use `for await` or `paginate` for more. */
  collect(): Promise<Document[]>;
  /** Reads a page, which costs the same however far back it is. `nextCursor` is `null` on the last page. */
  paginate(page: { limit: number; cursor?: string | null }): Promise<{ page: Document[]; nextCursor: string | null }>;
}

/** The arguments of Prisma's `findMany`. */
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

/** Documents that `for await` reads at once. */
const iteratedRows = 100;

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
  async function paginate({ limit, cursor }: { limit: number; cursor?: string | null }) {
    const found = await read(limit + 1, cursor ? beyond(cursor, direction) : {});
    return toPage(found, limit, ({ _creationTime, _id }) => formatCursor({ value: _creationTime, id: _id }));
  }
  return {
    order: (next) => systemQuery(findMany, { direction: next, range }),
    created: (next) => systemQuery(findMany, { direction, range: next }),
    take: (count) => read(count),
    first: async () => (await read(1))[0] ?? null,
    async collect() {
      const all = await read(limits.collectedRows + 1);
      if (all.length <= limits.collectedRows) return all;
      throw new Error(`There are more than ${limits.collectedRows} documents to collect. Use "for await" or paginate.`);
    },
    paginate,
    async *[Symbol.asyncIterator]() {
      let cursor: string | null = null;
      do {
        const { page, nextCursor }: Awaited<ReturnType<typeof paginate>> = await paginate({
          limit: iteratedRows,
          cursor,
        });
        yield* page;
        cursor = nextCursor;
      } while (cursor !== null);
    },
  };
}

const inRange = ({ from, before }: Options["range"]): Condition => ({
  creationTime: {
    ...(from !== undefined && { gte: new Date(from) }),
    ...(before !== undefined && { lt: new Date(before) }),
  },
});

/** The documents after that of the cursor. The id orders those of one millisecond. */
function beyond(cursor: string, direction: Direction): Condition {
  const { value, id } = parseCursor(cursor);
  const creationTime = new Date(value);
  const than = direction === "asc" ? "gt" : "lt";
  return {
    // OR implies this condition, but PostgreSQL can only start an index scan from this one.
    creationTime: { [`${than}e`]: creationTime },
    OR: [{ creationTime: { [than]: creationTime } }, { creationTime, id: { [than]: id } }],
  };
}
