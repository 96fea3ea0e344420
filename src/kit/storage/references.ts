import type { PoolClient } from "pg";
import { Prisma } from "~/generated/prisma/client";
import { type Client, pools } from "../database/database";

// Which rows reference which files: by foreign keys, which are certain, and by columns without one, which are searched.

/** A column with a foreign key to `_storage`. */
export interface Reference {
  /** Quoted, with its schema. */
  table: string;
  column: string;
}

/** Every column that references files, except the one of images that were made of files. The database's own catalogue lists them, so a new table needs no registration. */
export function findReferences(client: Pick<Client, "$queryRaw">): Promise<Reference[]> {
  return client.$queryRaw<Reference[]>`
    SELECT conrelid::regclass::text AS "table", quote_ident(attname) AS "column"
    FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey)
    WHERE contype = 'f' AND confrelid = '"_storage"'::regclass AND conrelid <> '"_storage_variants"'::regclass
    ORDER BY 1, 2`;
}

/** An SQL condition: no row references the file `s`. */
export function unreferenced(references: Reference[]): Prisma.Sql {
  const conditions = references.map(
    // PostgreSQL has quoted these names, which are from its catalogue.
    ({ table, column }) => Prisma.raw(`NOT EXISTS (SELECT FROM ${table} AS r WHERE r.${column} = s."_id")`),
  );
  return Prisma.join([Prisma.raw("true"), ...conditions], " AND ");
}

/** Columns that look like a storage id by name but have no foreign key. Each as `"table"."column"`. */
export async function findLooseReferences(): Promise<string[]> {
  const rows = await pools.upkeep.sql<{ name: string }>(`
    SELECT format('%s.%I', attrelid::regclass, attname) AS name
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
      AND relname !~ '^_' AND attname ~* 'storage_?ids?$'
      AND NOT EXISTS (
        SELECT FROM pg_constraint
        WHERE contype = 'f' AND conrelid = attrelid AND attnum = ANY(conkey) AND confrelid = '"_storage"'::regclass
      )
    ORDER BY 1`);
  return rows.map(({ name }) => name);
}

/** The longest time to search one table, and all of them. When either is over, no file is deleted. */
const tableTimeoutMs = 2 * 60_000;
const totalTimeoutMs = 10 * 60_000;

/** A column without a foreign key in which ids of files were found. */
export interface LooseReference {
  /** `table.column`. */
  column: string;
  /** How many files it names. */
  files: number;
}

/**
 * Finds which of these files are named by a column that has no foreign key: a column of UUIDs, of texts, of lists of them, or
 * of JSON, where every string and key counts. An id must be the whole value. Reads each table once. Throws when a table cannot
 * be read in time, because then nothing is known about any file.
 *
 * May miss a file that a row starts to name while this runs. Only a foreign key is certain.
 */
export async function findLooselyReferenced(
  storageIds: string[],
): Promise<{ named: Set<string>; columns: LooseReference[] }> {
  const named = new Set<string>();
  const columns = new Map<string, Set<string>>();
  if (storageIds.length > 0) {
    const client = await pools.upkeep.connect();
    let failure: Error | undefined;
    try {
      for (const { column, id } of await search(client, storageIds)) {
        named.add(id);
        columns.set(column, (columns.get(column) ?? new Set()).add(id));
      }
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      throw failure;
    } finally {
      client.release(failure);
    }
  }
  return { named, columns: [...columns].map(([column, ids]) => ({ column, files: ids.size })) };
}

async function search(client: PoolClient, storageIds: string[]): Promise<{ column: string; id: string }[]> {
  const deadline = Date.now() + totalTimeoutMs;
  const found: { column: string; id: string }[] = [];
  // One transaction, because a pooler gives each transaction its own session. The ids are sent once.
  await client.query("BEGIN READ WRITE");
  await client.query("CREATE TEMPORARY TABLE candidate (id text PRIMARY KEY) ON COMMIT DROP");
  await client.query({ text: "INSERT INTO candidate SELECT unnest($1::text[])", values: [storageIds] });
  await client.query("ANALYZE candidate");
  for (const [table, columns] of await looseColumns(client)) {
    const timeoutMs = Math.min(tableTimeoutMs, deadline - Date.now());
    if (timeoutMs <= 0) {
      throw new Error(`Looking for files in columns without a foreign key took ${totalTimeoutMs / 60_000} minutes`);
    }
    await client.query(`SET LOCAL statement_timeout = ${timeoutMs}`);
    const values = columns.map(
      ({ column, type }, index) => `SELECT ${index} AS n, ${valuesOf(`r.${column}`, type)} AS id`,
    );
    const { rows } = await client
      .query<{ n: number; id: string }>(
        // PostgreSQL has quoted these names, which are from its catalogue.
        `SELECT DISTINCT v.n, candidate.id FROM ${table} AS r CROSS JOIN LATERAL (${values.join(" UNION ALL ")}) AS v
         JOIN candidate ON candidate.id = lower(v.id)`,
      )
      .catch((cause) => {
        throw new Error(`Cannot look for files in ${table}: ${cause.message}`, { cause });
      });
    for (const { n, id } of rows) found.push({ column: nameOf(table, columns[n]?.column ?? ""), id });
  }
  await client.query("COMMIT");
  return found;
}

/** The texts in a value, as an SQL expression that returns a set. */
function valuesOf(value: string, type: string): string {
  if (type === "json" || type === "jsonb") {
    const strings = `jsonb_path_query(${value}::jsonb, 'strict $.** ? (@.type() == "string")') #>> '{}'`;
    const keys = `jsonb_path_query(${value}::jsonb, 'strict $.** ? (@.type() == "object").keyvalue().key') #>> '{}'`;
    return `unnest(ARRAY(SELECT ${strings} UNION ALL SELECT ${keys}))`;
  }
  return type.endsWith("[]") ? `unnest(${value})::text` : `${value}::text`;
}

interface Column {
  table: string;
  column: string;
  type: string;
}

/** The columns to search, by table, in every schema except PostgreSQL's own. The kit's own tables keep no file. */
async function looseColumns(client: PoolClient): Promise<Map<string, Column[]>> {
  const { rows } = await client.query<Column>(`
    SELECT attrelid::regclass::text AS "table", quote_ident(attname) AS "column", format_type(atttypid, NULL) AS "type"
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relpersistence <> 't' AND attnum > 0 AND NOT attisdropped
      AND nspname <> 'information_schema' AND nspname !~ '^pg_' AND has_table_privilege(attrelid, 'SELECT')
      AND NOT (relnamespace = current_schema()::regnamespace AND relname ~ '^_')
      AND format_type(atttypid, NULL) IN ('uuid', 'uuid[]', 'text', 'text[]', 'character varying', 'character varying[]',
        'character', 'character[]', 'json', 'jsonb')
      AND NOT EXISTS (SELECT FROM pg_constraint
        WHERE contype IN ('f', 'p') AND conrelid = attrelid AND attnum = ANY(conkey))
    ORDER BY 1, attnum`);
  const tables = new Map<string, Column[]>();
  for (const row of rows) tables.set(row.table, [...(tables.get(row.table) ?? []), row]);
  return tables;
}

const nameOf = (table: string, column: string) => `${table}.${column}`.replaceAll('"', "");
