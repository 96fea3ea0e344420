import { tablesRead } from "../live/reads";
import type { Client } from "./database";
import { type SystemTables, systemTables } from "./system-tables";
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
/** The kit's own tables, of no use to functions. */
const hidden = [
  "unownedBlob",
  "spentUpload",
  "storageTotal",
  "scheduledFunction",
  "endedJob",
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

/** `ctx.db` of a query: Prisma's client without what writes. */
export type ReadDb = { readonly [M in Model]: Reads<M> } & Pick<Client, (typeof rawReads)[number]> & {
    readonly system: SystemTables;
  };

/** `ctx.db` of a mutation: Prisma's client for the mutation's transaction. It cannot write `storage` and `user`. */
export type WriteDb = Omit<Client, Hidden | (typeof readOnly)[number]> &
  Pick<ReadDb, (typeof readOnly)[number] | "system">;

type Run = Transaction["run"];
/** A call or property access that waits to be replayed on a client, as `.message.findMany(…)`. */
type Step = { get: string } | { call: unknown[] };

/** Is told which tables are read. */
export type NoteReads = (tables: Iterable<string>) => void;

/** A client that only reads: in a query's transaction, or in a mutation's. */
export function readDb(within: Transaction, noteReads?: NoteReads): ReadDb {
  const { run } = within;
  // SQL may write whatever its first word is, so PostgreSQL is told to refuse.
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
 * Prisma's client by replay: property accesses and calls are recorded, and run on the real client when awaited. This is
 * what lets `ctx.db` be there before its transaction is.
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

/** Commands that end the transaction, or change the connection for whoever has it next. `SET LOCAL` is no such. */
const sessionCommand =
  /^(begin|start|commit|end|rollback|abort|savepoint|release|prepare|deallocate|listen|unlisten|discard|reset|set(?!\s+(local|constraints)\b))\b/i;

/** One raw statement is one command, so that its first word says what it does: see connections.ts. */
function refuseSessionCommands(statement: unknown): void {
  const sql = textOf(statement);
  const [command] = sessionCommand.exec(withoutComments(sql)) ?? [];
  if (command) {
    throw new Error(
      `Cannot run ${command.toUpperCase()} by ctx.db: the kit begins and ends transactions, and shares the connection`,
    );
  }
}

/** The SQL in what Prisma's raw calls take first: a text, a template's strings, or what `Prisma.sql` returns. */
function textOf(statement: unknown): string {
  if (typeof statement === "string") return statement;
  if (Array.isArray(statement)) return statement.join("?");
  const sql = typeof statement === "object" && statement !== null && "sql" in statement ? statement.sql : "";
  return typeof sql === "string" ? sql : "";
}

/** Without the white space, empty statements and comments, which may be nested, before the first word. */
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

/** A proxy can be called when its target can. */
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
