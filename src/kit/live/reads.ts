import { prisma } from "../database/database";
import type { RequestContext } from "../functions/request-context";
import { processWide } from "../process/process-wide";

/** The tables that each view reads, by the view's name. Filled at the start, when the database answers. */
export const viewTables = processWide("tables of views", () => new Map<string, string[]>());

/** Stands for every table, where what was read cannot be known. */
export const anyTable = "*";

interface Field {
  name: string;
  dbName?: string | null;
  /** Of a relation: the other model. */
  type: string;
  relationName?: string;
}

export type Models = Record<string, { dbName: string | null; schema?: string | null; fields: Field[] }>;

// Prisma does not type this internal property. In a version without it, every query counts as reading any table.
export const { models = {} } = (prisma as { _runtimeDataModel?: { models: Models } })._runtimeDataModel ?? {};

/** A context that records the tables which queries read, under the path of a query, for the response's header. */
export function noting(context: RequestContext, path: string): RequestContext {
  const tables = context.reads.get(path) ?? new Set();
  context.reads.set(path, tables);
  return {
    ...context,
    noteReads: (read) => {
      for (const table of read) tables.add(table);
    },
  };
}

/** The response's header with the tables that queries read, for example `messages.list=messages&messages.list=_storage`. */
export const readsHeader = "Live-Reads";

export function formatReads(reads: RequestContext["reads"]): string {
  // A query that read nothing is listed too. A query that is not listed is unknown.
  const pairs = [...reads].flatMap(([path, tables]) =>
    [...(tables.size > 0 ? tables : [""])].map((name) => [path, name]),
  );
  return new URLSearchParams(pairs).toString();
}

/**
 * The tables that a call of Prisma's client reads: the model's, and those of every relation that its arguments name. Raw
 * SQL and chained calls count as reading any table.
 *
 * @param target for example `message` in `ctx.db.message.findMany(args)`
 * @param calls the arguments of each call
 */
export function tablesRead(target: string | undefined, calls: unknown[][], within: Models = models): Set<string> {
  const tables = new Set<string>();
  const name = Object.keys(within).find((model) => model[0]?.toLowerCase() + model.slice(1) === target);
  if (name && calls.length === 1) addModel(name, calls[0], within, tables);
  else tables.add(anyTable);
  return tables;
}

function addModel(name: string, args: unknown, within: Models, tables: Set<string>): void {
  const table = within[name]?.dbName ?? name;
  // A view changes when one of its tables does.
  for (const source of viewTables.get(table) ?? [table]) tables.add(source);
  walk(name, args, within, tables);
}

/** A relation counts wherever it is named: in `include`, `select`, `where`, `orderBy`, `_count`, and below `AND`. */
function walk(model: string, args: unknown, within: Models, tables: Set<string>): void {
  if (typeof args !== "object" || args === null || ArrayBuffer.isView(args)) return;
  const relations = within[model]?.fields.filter(({ relationName }) => relationName) ?? [];
  for (const [key, value] of Object.entries(args)) {
    const named = key === "_count" && value === true ? relations : relations.filter(({ name }) => name === key);
    for (const { type, relationName } of named) {
      // A many-to-many relation has a table of this name.
      tables.add(`_${relationName}`);
      addModel(type, value, within, tables);
    }
    if (named.length === 0) walk(model, value, within, tables);
  }
}
