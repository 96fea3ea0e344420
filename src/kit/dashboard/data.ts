import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { pool } from "../database/database";
import { sqlState } from "../database/errors";
import { toPage } from "../database/pagination";
import { t } from "../functions/builders";
import { noting, viewTables } from "../live/reads";
import { quote } from "../log/text";
import { adminProcedure, liveProcedure } from "./admin-procedure";
import { previewsOf } from "./files";
import { type Column, identifier, listTables, type Query, type Table, tableNamed } from "./tables";

// Reads the rows of the app's tables, and never writes. Names in the SQL come from the schema and from PostgreSQL's
// catalogue. Values are sent as parameters.

/** Milliseconds that PostgreSQL may take for one statement. */
const statementTimeoutMs = 5_000;
/**
 * How many rows one statement compares with filters that have no index, and after how many milliseconds a page stops
 * looking.
 */
const examinedRows = 10_000;
const examinedMs = 50;
/** How many characters of a value are shown, in a list and in the dialog of its row. */
const cellLength = 200;
const wholeLength = 20_000;

const operators = ["is", "contains", "atLeast", "atMost", "isEmpty", "isNotEmpty"] as const;

const name = z.string().max(200);
const filter = z.object({ column: name, operator: z.enum(operators), value: z.string().max(1_000).default("") });
const key = z.array(z.string().max(1_000)).max(20);

export type Filter = z.infer<typeof filter>;

const rowsArgs = z.object({
  table: name,
  filters: z.array(filter).max(5).default([]),
  limit: z.int().min(1).max(100).default(50),
  cursor: z.string().max(30_000).nullish(),
});

export const data = t.router({
  /** The tables of the schema, the app's first. */
  tables: liveProcedure().query(async () => {
    const tables = await read((query) => listTables(query));
    return tables.map(({ name, isKit, rows }) => ({ name, isKit, rows }));
  }),

  /**
   * A page of rows, the one with the greatest key first, which is the newest where ids are UUIDv7. A page with few rows, or none,
   * can have a next page, because a page examines a bounded number of rows.
   */
  rows: adminProcedure.input(rowsArgs).query(async ({ ctx, path, input }) => {
    const { table, page, nextCursor } = await read(async (query) => {
      const table = await tableNamed(query, input.table);
      return { table, ...(await readPage(query, table, input)) };
    });
    noting(ctx, path).noteReads?.(viewTables.get(table.name) ?? [table.name]);
    return { columns: table.columns, ...(await withPreviews(ctx.origin, table, page)), nextCursor };
  }),

  /** One row with longer values, and the columns of other tables that reference it; `null` when the row does not exist. */
  row: adminProcedure.input(z.object({ table: name, key })).query(async ({ ctx, path, input }) => {
    const { table, found } = await read(async (query) => {
      const table = await tableNamed(query, input.table);
      const values: unknown[] = [];
      const isKey = table.key.length > 0 && compare(table, "=", keyOf(table, input.key), values);
      const [found] = isKey ? await query<Found>(`${selectFrom(table, wholeLength)} WHERE ${isKey}`, values) : [];
      return { table, found };
    });
    noting(ctx, path).noteReads?.(viewTables.get(table.name) ?? [table.name]);
    if (!found) return null;
    const { rows, previews } = await withPreviews(ctx.origin, table, [found]);
    return { columns: table.columns, referredBy: table.referredBy, row: rows[0], previews };
  }),
});

interface Found {
  key: string[];
  cells: (string | null)[];
}

/** Runs statements in one read-only transaction, each with a time limit. */
async function read<R>(body: (query: Query) => Promise<R>): Promise<R> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${statementTimeoutMs}`);
    const result = await body(async <Row>(text: string, values: unknown[] = []) => {
      const { rows } = await client.query({ text, values });
      return rows as Row[];
    });
    await client.query("COMMIT");
    return result;
  } catch (error) {
    const state = sqlState(error);
    // After the rollback, a connection on which a statement failed can be used again.
    await client.query("ROLLBACK").catch((lost: Error) => {
      failure = lost;
    });
    if (state === "57014") {
      const message = `PostgreSQL needed more than ${statementTimeoutMs / 1000} s. Filter by a column that has an index`;
      throw new TRPCError({ code: "TIMEOUT", message, cause: error });
    }
    // The value does not have the column's type, or values of this type cannot be compared in this way.
    if (error instanceof Error && state && /^(22|42883)/.test(state)) {
      throw new TRPCError({ code: "BAD_REQUEST", message: `Cannot filter: ${error.message}`, cause: error });
    }
    throw error instanceof TRPCError ? error : pool.translated(error);
  } finally {
    client.release(failure);
  }
}

async function readPage(query: Query, table: Table, { filters, limit, cursor }: z.output<typeof rowsArgs>) {
  const after = cursor ? keyOf(table, parseCursor(cursor)) : null;
  const select = (source: string) => selectFrom({ ...table, source }, cellLength);
  const order = table.key.map((column) => `${identifier(column)} DESC`).join(", ");
  const [direct, others] = await splitFilters(query, table, filters);
  const toCursor = ({ key }: Pick<Found, "key">) => JSON.stringify(key);

  // A view has no key, so it has only one page.
  if (!order) {
    const values: unknown[] = [];
    const where = filters.map((each) => condition(table, each, values));
    const page = await query<Found>(`${select(table.source)} WHERE ${all(where)} LIMIT ${limit}`, values);
    return { page, nextCursor: null };
  }
  if (others.length === 0 || direct.length > 0) {
    const values: unknown[] = [];
    // With OFFSET, PostgreSQL plans the subquery separately: it uses the index instead of looking for matches in the order
    // of the key.
    const source = direct.length
      ? `(SELECT * FROM ${table.source} WHERE ${all(direct.map((each) => condition(table, each, values)))} OFFSET 0) AS found`
      : table.source;
    const where = others.map((each) => condition(table, each, values));
    if (after) where.push(compare(table, "<", after, values));
    const found = await query<Found>(
      `${select(source)} WHERE ${all(where)} ORDER BY ${order} LIMIT ${limit + 1}`,
      values,
    );
    return toPage(found, limit, toCursor);
  }

  const deadline = performance.now() + examinedMs;
  const found: Found[] = [];
  for (let from = after; ; ) {
    const values: unknown[] = [];
    const below = from ? compare(table, "<", from, values) : "true";
    const keys = `SELECT ${keyText(table)} AS key FROM ${table.source} WHERE ${below} ORDER BY ${order}`;
    const [last] = await query<Pick<Found, "key">>(`${keys} OFFSET ${examinedRows - 1} LIMIT 1`, [...values]);
    const where = [below, ...others.map((each) => condition(table, each, values))];
    if (last) where.push(compare(table, ">=", last.key, values));
    const missing = limit + 1 - found.length;
    found.push(
      ...(await query<Found>(`${select(table.source)} WHERE ${all(where)} ORDER BY ${order} LIMIT ${missing}`, values)),
    );
    if (found.length > limit || !last) return toPage(found, limit, toCursor);
    if (performance.now() > deadline) return { page: found, nextCursor: toCursor(last) };
    from = last.key;
  }
}

/** Splits filters into those for which an index finds few rows, and all others. */
async function splitFilters(
  query: Query,
  table: Table,
  filters: Filter[],
): Promise<[direct: Filter[], others: Filter[]]> {
  const indexed = filters.filter(({ column, operator }) => operator === "is" && columnOf(table, column).isIndexed);
  if (indexed.length === 0) return [[], filters];
  const values: unknown[] = [];
  const where = all(indexed.map((each) => condition(table, each, values)));
  const few = `SELECT FROM ${table.source} WHERE ${where} LIMIT ${examinedRows + 1}`;
  const [counted] = await query<{ rows: number }>(`SELECT count(*)::int AS rows FROM (${few}) AS few`, values);
  if ((counted?.rows ?? 0) > examinedRows) return [[], filters];
  return [indexed, filters.filter((each) => !indexed.includes(each))];
}

const all = (conditions: string[]) => ["true", ...conditions].join(" AND ");

function condition(table: Table, { column: name, operator, value }: Filter, values: unknown[]): string {
  const column = columnOf(table, name);
  const it = identifier(name);
  if (column.isHidden) {
    throw new TRPCError({
      code: "BAD_REQUEST",
      message: `The column ${quote(name)} is hidden, so rows cannot be filtered by it`,
    });
  }
  const typed = () => `$${values.push(value)}::${column.type}`;
  switch (operator) {
    case "isEmpty":
      return `${it} IS NULL`;
    case "isNotEmpty":
      return `${it} IS NOT NULL`;
    case "contains":
      return `${it}::text ILIKE $${values.push(`%${value.replace(/[\\%_]/g, "\\$&")}%`)}`;
    case "atLeast":
      return `${it} >= ${typed()}`;
    case "atMost":
      return `${it} <= ${typed()}`;
    default:
      // Not every type can be compared, but every value can be converted to text.
      return column.isIndexed || column.kind !== "text" ? `${it} = ${typed()}` : `${it}::text = $${values.push(value)}`;
  }
}

function columnOf(table: Table, name: string): Column {
  const column = table.columns.find((each) => each.name === name);
  if (column) return column;
  throw new TRPCError({ code: "BAD_REQUEST", message: `The table ${table.name} has no column ${quote(name)}` });
}

/** Compares the key of a row with another. */
function compare(table: Table, operator: "<" | ">=" | "=", other: string[], values: unknown[]): string {
  const parameters = table.key.map((name, at) => `$${values.push(other[at])}::${columnOf(table, name).type}`);
  return `(${table.key.map(identifier).join(", ")}) ${operator} (${parameters.join(", ")})`;
}

/** @throws TRPCError `BAD_REQUEST` for anything that cannot be a key of the table */
function keyOf(table: Table, key: string[]): string[] {
  if (key.length === table.key.length) return key;
  throw new TRPCError({ code: "BAD_REQUEST", message: `This is not a key of the table ${table.name}` });
}

function parseCursor(cursor: string): string[] {
  try {
    return key.parse(JSON.parse(cursor));
  } catch (cause) {
    throw new TRPCError({
      code: "BAD_REQUEST",
      message: `Invalid cursor ${quote(cursor)}. Pass the nextCursor of a page.`,
      cause,
    });
  }
}

const keyText = ({ key }: Table) => `ARRAY[${key.map((name) => `${identifier(name)}::text`).join(", ")}]::text[]`;

const selectFrom = (table: Table, length: number) =>
  `SELECT ${keyText(table)} AS key, ARRAY[${table.columns.map((column) => cell(column, length)).join(", ")}]::text[] AS cells
   FROM ${table.source}`;

/**
 * The SQL of a value as text, cut to one character more than `length`. For a hidden column it only says whether there is a
 * value.
 */
export function cell(
  { name, type, kind, isHidden }: Pick<Column, "name" | "type" | "kind" | "isHidden">,
  length: number,
): string {
  const it = identifier(name);
  if (isHidden) return `CASE WHEN ${it} IS NOT NULL THEN '' END`;
  if (kind === "bytes") return `length(${it})::text`;
  // Prisma writes times in UTC, also into columns without a time zone.
  const time = type === "timestamp without time zone" ? `(${it} AT TIME ZONE 'UTC')` : it;
  if (kind === "time") return `to_json(${time}) #>> '{}'`;
  return `left(${it}::text, ${length + 1})`;
}

/** The rows, with previews of the files that they reference, by storage id. */
async function withPreviews(origin: string, table: Table, rows: Found[]) {
  const columns = table.columns.flatMap(({ references, isKey }, at) => {
    const isFile = references?.table === "_storage" || (table.name === "_storage" && isKey);
    return isFile ? [at] : [];
  });
  const storageIds = rows.flatMap(({ cells }) => columns.flatMap((at) => cells[at] ?? []));
  return { rows, previews: await previewsOf(origin, [...new Set(storageIds)]) };
}
