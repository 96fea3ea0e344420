import { createHash, createHmac, hkdfSync } from "node:crypto";
import { prisma } from "../database/database";
import type { RequestContext } from "../functions/request-context";
import { env } from "../process/env";
import { processWide } from "../process/process-wide";

/** The tables that each view reads, by the view's name. Filled at the start, when the database answers. */
export const viewTables = processWide("tables of views", () => new Map<string, string[]>());

/** For each table, the column by whose values tabs are told about changes. See `createKit`. */
export type LiveBy = Readonly<Record<string, string>>;

/** The `liveBy` of the process. */
export const liveBy = processWide("live by", () => new Map<string, string>());
/** Whether `createKit` has filled it. The start does not load the app in development and on Vercel. */
export const liveByState = processWide("live by is known", () => ({ isKnown: false }));

/** The name in `_changes` of a change to rows with this value. The trigger `announce_values` writes the same name. */
const noteOf = (table: string, column: string, value: string) =>
  `${table}:${column}:${createHash("sha256").update(value).digest("base64")}`;

/** Keeps tabs from guessing values: without the key no one can compute the name of a value. */
const nameKey = () =>
  processWide("key of live names", () =>
    Buffer.from(hkdfSync("sha256", env.APP_SECRET[0] ?? "", "", "live names", 32)),
  );

const hash = (text: string, length: number) =>
  createHmac("sha256", nameKey()).update(text).digest("base64url").slice(0, length);

/**
 * Returns the name that tabs see for a note in `_changes`: the table, the scope, and the value as a hash with a key. The
 * scope stands for the column and the key. While a new version or a new secret replaces the old one, a tab may hear of
 * changes from one process and get its answers from another. By the scope it sees whether both name values alike.
 */
export function nameForTabs(note: string): string {
  const [, table, column, digest] = /^(.+):([^:]+):((?:[\w+/]{43}=)?)$/.exec(note) ?? [];
  if (table !== undefined) return `${table}:${hash(`${table}:${column}`, 8)}.${digest && hash(note, 16)}`;
  // Notes of an earlier version of the kit name no column.
  return note.replace(/:(?:[\w+/]{43}=)?$/, "");
}

/** The table of a name for tabs. */
export const tableOfName = (name: string): string => name.replace(/:[\w-]{8}\.(?:[\w-]{16})?$/, "");

/** Stands for every table, when it cannot be known what was read. */
export const anyTable = "*";

interface Field {
  name: string;
  dbName?: string | null;
  /** For a relation, the other model. */
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
  if (name && calls.length === 1) addModel(name, calls[0]?.[0], within, tables);
  else tables.add(anyTable);
  return tables;
}

function addModel(name: string, args: unknown, within: Models, tables: Set<string>): void {
  const table = within[name]?.dbName ?? name;
  const notes = viewTables.has(table) ? null : notesRead(table, within[name]?.fields ?? [], args);
  if (notes) for (const note of notes) tables.add(nameForTabs(note));
  // A view changes when one of its tables does.
  else for (const source of viewTables.get(table) ?? [table]) tables.add(source);
  walk(name, args, within, tables);
}

/** Values that a list of `in` may have. */
const maxValues = 20;

/** The notes of the values of the table's `liveBy` column that a call is limited to; `null` when it may read other rows. */
function notesRead(table: string, fields: Field[], args: unknown): string[] | null {
  const column = liveBy.get(table);
  if (column === undefined) return null;
  const field = fields.find(({ name, dbName }) => (dbName ?? name) === column)?.name;
  // A cursor also reads the place of its row, which may have another value.
  if (!field || typeof args !== "object" || args === null || !("where" in args) || "cursor" in args) return null;
  const values = valuesEqualed(field, args.where);
  return values && [...new Set(values.flatMap(textsOf))].map((value) => noteOf(table, column, value));
}

/** The texts that PostgreSQL may write for a value: of a UUID in lower case, and with hyphens. */
function textsOf(value: string): string[] {
  const digits = value.toLowerCase().replace(/[{}-]/g, "");
  const isId = /^[0-9a-f]{32}$/.test(digits);
  return isId ? [value, digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")] : [value];
}

function valuesEqualed(field: string, where: unknown): string[] | null {
  if (typeof where !== "object" || where === null) return null;
  for (const [key, value] of Object.entries(where)) {
    const values = key === field ? valuesOf(value) : null;
    if (values) return values;
    if (key !== "AND") continue;
    for (const part of Array.isArray(value) ? value : [value]) {
      const inPart = valuesEqualed(field, part);
      if (inPart) return inPart;
    }
  }
  return null;
}

/** The values of a Prisma filter that requires a column to equal one of them; `null` for any other filter. */
function valuesOf(filter: unknown): string[] | null {
  if (typeof filter === "string" || typeof filter === "number" || typeof filter === "bigint") return [String(filter)];
  if (typeof filter !== "object" || filter === null) return null;
  // With a `mode`, the filter may match other values, too.
  const [entry, ...more] = Object.entries(filter);
  if (!entry || more.length > 0) return null;
  const [operator, value] = entry;
  if (operator === "equals") return typeof value === "object" ? null : valuesOf(value);
  if (operator !== "in" || !Array.isArray(value) || value.length > maxValues) return null;
  const values = value.map((each) => (typeof each === "object" ? null : valuesOf(each)));
  return values.includes(null) ? null : values.flatMap((each) => each ?? []);
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
