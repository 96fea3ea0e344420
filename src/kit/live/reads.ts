import { prisma } from "../database/database";
import type { Caller } from "../functions/caller";
import { viewTables } from "./views";

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

// Prisma has it for its own use and does not type it. Should a later Prisma lack it, every query reads any table.
export const { models = {} } = (prisma as { _runtimeDataModel?: { models: Models } })._runtimeDataModel ?? {};

/** A caller whose queries note the tables they read under this path, for the answer to tell. */
export function noting(caller: Caller, path: string): Caller {
  const tables = caller.reads.get(path) ?? new Set();
  caller.reads.set(path, tables);
  return {
    ...caller,
    noteReads: (read) => {
      for (const table of read) tables.add(table);
    },
  };
}

/** What queries have read, as `messages.list=messages&messages.list=_storage`; in the answer's header of this name. */
export const readsHeader = "Live-Reads";

export function formatReads(reads: Caller["reads"]): string {
  // A query that read nothing is told too: it is not one of which nothing is known.
  const pairs = [...reads].flatMap(([path, tables]) =>
    [...(tables.size > 0 ? tables : [""])].map((name) => [path, name]),
  );
  return new URLSearchParams(pairs).toString();
}

/**
 * The tables that a call of Prisma's client reads: the model's, and those of every relation its arguments name. Any
 * table for SQL, and for calls that are chained.
 *
 * @param target as `message` in `ctx.db.message.findMany(args)`
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

/** A relation counts wherever its name stands: in `include`, `select`, `where`, `orderBy`, `_count`, below `AND`. */
function walk(model: string, args: unknown, within: Models, tables: Set<string>): void {
  if (typeof args !== "object" || args === null || ArrayBuffer.isView(args)) return;
  const relations = within[model]?.fields.filter(({ relationName }) => relationName) ?? [];
  for (const [key, value] of Object.entries(args)) {
    const named = key === "_count" && value === true ? relations : relations.filter(({ name }) => name === key);
    for (const { type, relationName } of named) {
      // Where a relation is many-to-many it is a table, of this name.
      tables.add(`_${relationName}`);
      addModel(type, value, within, tables);
    }
    if (named.length === 0) walk(model, value, within, tables);
  }
}
