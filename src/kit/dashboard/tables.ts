import { TRPCError } from "@trpc/server";
import { models } from "../live/reads";
import { quote } from "../log/text";

/** Runs one statement, and returns its rows. */
export type Query = <Row>(sql: string, values?: unknown[]) => Promise<Row[]>;

export interface Column {
  name: string;
  /** The type as PostgreSQL writes it, for example `timestamp with time zone`. */
  type: string;
  /** How it is shown. Values of `number`, `boolean` and `time` are compared as such, all others as texts. */
  kind: "text" | "number" | "boolean" | "time" | "bytes";
  isKey: boolean;
  /** Whether an index finds rows by its value. */
  isIndexed: boolean;
  /** Whether its values are secrets, which are never shown. */
  isHidden: boolean;
  /** The column that its foreign key refers to. */
  references: { table: string; column: string } | null;
}

export interface Table {
  name: string;
  /** The name of the table in SQL. */
  source: string;
  /** Whether it is one of the kit's own tables. */
  isKit: boolean;
  columns: Column[];
  /** The columns of its primary key. */
  key: string[];
  /** The columns of other tables whose foreign keys refer to it. */
  referredBy: { table: string; column: string; ownColumn: string }[];
}

/** A name in SQL. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Columns of the kit whose names do not say that they hold something secret, or something that has a secret in it. */
const hiddenColumns = new Set([
  "_verifications.identifier",
  "_verifications.value",
  "_scheduled_functions.args",
  "_unowned_blobs.file",
  "_unfinished_uploads.progress",
]);

/** Names of columns that hold secrets, in any table. A `tokenIdentifier` is not a secret, because it only names a user. */
const secretName = /passw|secret|token(?!_?identifier)|(private|api|blob)_?key|(backup|recovery)_?codes|\botp\b/i;

interface Entry {
  name: string;
  source: string;
  isKit: boolean;
}

/** The tables and views of the schema, as Prisma knows them. */
const entries = (): Entry[] =>
  Object.entries(models).map(([model, { dbName, schema }]) => {
    const name = dbName ?? model;
    return {
      name,
      source: schema ? `${identifier(schema)}.${identifier(name)}` : identifier(name),
      isKit: name.startsWith("_"),
    };
  });

/** Rows are counted exactly up to this number. Beyond it, PostgreSQL's estimate is shown. */
const countedRows = 10_000;

/** All tables with about how many rows they have, the app's own first. */
export async function listTables(query: Query): Promise<(Entry & { rows: number })[]> {
  const existing = await existingEntries(query);
  if (existing.length === 0) return [];
  const counts = existing.map(
    ({ source }, at) =>
      `SELECT ${at} AS at, count(*)::int AS rows FROM (SELECT FROM ${source} LIMIT ${countedRows}) AS few`,
  );
  const counted = await query<{ at: number; rows: number }>(counts.join(" UNION ALL "));
  const rows = new Map(counted.map(({ at, rows }) => [at, rows]));
  return existing
    .map(({ estimate, ...entry }, at) => {
      const few = rows.get(at) ?? 0;
      return { ...entry, rows: few < countedRows ? few : Math.max(few, estimate) };
    })
    .sort((one, other) => Number(one.isKit) - Number(other.isKit) || one.name.localeCompare(other.name));
}

/** Leaves out tables whose migrations have not run yet. */
async function existingEntries(query: Query): Promise<(Entry & { estimate: number })[]> {
  const known = entries();
  const found = await query<{ source: string; estimate: number }>(
    `SELECT source, reltuples::float8 AS estimate FROM unnest($1::text[]) AS source JOIN pg_class ON pg_class.oid = to_regclass(source)`,
    [known.map(({ source }) => source)],
  );
  const estimates = new Map(found.map(({ source, estimate }) => [source, estimate]));
  return known.flatMap((entry) => {
    const estimate = estimates.get(entry.source);
    return estimate === undefined ? [] : [{ ...entry, estimate }];
  });
}

interface Described {
  name: string;
  type: string;
  kind: Column["kind"];
  isKey: boolean;
  isIndexed: boolean;
  references: Column["references"];
}

/** @throws TRPCError `NOT_FOUND` for a name that no table of the schema has */
export async function tableNamed(query: Query, name: string): Promise<Table> {
  const entry = entries().find((each) => each.name === name);
  const columns = entry ? await query<Described>(describeColumns, [entry.source]) : [];
  if (!entry || columns.length === 0) {
    throw new TRPCError({ code: "NOT_FOUND", message: `There is no table ${quote(name)} in the schema` });
  }
  const names = entries().map((each) => each.name);
  const referring = await query<Table["referredBy"][number]>(describeReferences, [entry.source]);
  return {
    ...entry,
    key: columns.filter(({ isKey }) => isKey).map((column) => column.name),
    columns: columns.map((column) => ({
      ...column,
      references: column.references && names.includes(column.references.table) ? column.references : null,
      isHidden:
        hiddenColumns.has(`${entry.name}.${column.name}`) ||
        ((column.kind === "text" || column.kind === "bytes") && secretName.test(column.name)),
    })),
    referredBy: referring.filter(({ table }) => names.includes(table)),
  };
}

const describeColumns = `
  SELECT attname AS name, format_type(atttypid, NULL) AS type,
    CASE WHEN typname = 'bytea' THEN 'bytes' WHEN typcategory = 'N' THEN 'number' WHEN typcategory = 'B' THEN 'boolean'
      WHEN typcategory = 'D' AND typname LIKE '%stamp%' THEN 'time' ELSE 'text' END AS kind,
    coalesce(primaries.columns @> ARRAY[attnum], false) AS "isKey",
    EXISTS (SELECT FROM pg_index WHERE indrelid = attrelid AND indkey[0] = attnum AND indpred IS NULL AND indisvalid) AS "isIndexed",
    (SELECT json_build_object('table', relname, 'column', other.attname)
     FROM pg_constraint JOIN pg_class ON pg_class.oid = confrelid
     JOIN pg_attribute AS other ON other.attrelid = confrelid AND other.attnum = confkey[1]
     WHERE contype = 'f' AND conrelid = own.attrelid AND conkey = ARRAY[own.attnum] LIMIT 1) AS "references"
  FROM pg_attribute AS own JOIN pg_type ON pg_type.oid = atttypid
  LEFT JOIN LATERAL (
    SELECT indkey::smallint[] AS columns FROM pg_index WHERE indrelid = attrelid AND indisprimary
  ) AS primaries ON true
  WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
  ORDER BY array_position(primaries.columns, attnum), attnum`;

const describeReferences = `
  SELECT relname AS "table", own.attname AS "column", other.attname AS "ownColumn"
  FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
  JOIN pg_attribute AS own ON own.attrelid = conrelid AND own.attnum = conkey[1]
  JOIN pg_attribute AS other ON other.attrelid = confrelid AND other.attnum = confkey[1]
  WHERE contype = 'f' AND confrelid = to_regclass($1) AND cardinality(conkey) = 1
  ORDER BY 1, 2`;
