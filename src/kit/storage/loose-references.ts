import type { PoolClient } from "pg";
import { pools } from "../database/database";

/** Milliseconds to read one table, and all of them; a table that takes longer keeps every file. */
const tableTimeout = 2 * 60_000;
const wholeTimeout = 10 * 60_000;

/** A column without a foreign key in which ids of files were found. */
export interface LooseReference {
  /** `table.column`. */
  column: string;
  /** How many files it names. */
  files: number;
}

interface Column {
  table: string;
  column: string;
  type: string;
}

/**
 * Which of these files are named by a column that has no foreign key: one of UUIDs, texts, lists of them, or JSON, where
 * strings and keys count wherever they stand. Each is compared as a whole value. Reads each table once, and throws when
 * one cannot be read in time: then nothing is known of any file.
 *
 * A file that such a column comes to name while this runs may be missed: only a foreign key is certain.
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
  const deadline = Date.now() + wholeTimeout;
  const found: { column: string; id: string }[] = [];
  // One transaction, since a pooler gives each its own session; the ids are sent once.
  await client.query("BEGIN READ WRITE");
  await client.query("CREATE TEMPORARY TABLE candidate (id text PRIMARY KEY) ON COMMIT DROP");
  await client.query({ text: "INSERT INTO candidate SELECT unnest($1::text[])", values: [storageIds] });
  await client.query("ANALYZE candidate");
  for (const [table, columns] of await looseColumns(client)) {
    const timeout = Math.min(tableTimeout, deadline - Date.now());
    if (timeout <= 0)
      throw new Error(`Looking for files in columns without a foreign key took ${wholeTimeout / 60_000} minutes`);
    await client.query(`SET LOCAL statement_timeout = ${timeout}`);
    const values = columns.map(
      ({ column, type }, index) => `SELECT ${index} AS n, ${valuesOf(`r.${column}`, type)} AS id`,
    );
    const { rows } = await client
      .query<{ n: number; id: string }>(
        // Names from the catalogue, quoted by PostgreSQL.
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

/** A set of the texts in a value, as SQL. */
function valuesOf(value: string, type: string): string {
  if (type === "json" || type === "jsonb") {
    const strings = `jsonb_path_query(${value}::jsonb, 'strict $.** ? (@.type() == "string")') #>> '{}'`;
    const keys = `jsonb_path_query(${value}::jsonb, 'strict $.** ? (@.type() == "object").keyvalue().key') #>> '{}'`;
    return `unnest(ARRAY(SELECT ${strings} UNION ALL SELECT ${keys}))`;
  }
  return type.endsWith("[]") ? `unnest(${value})::text` : `${value}::text`;
}

/** By table, of every schema but PostgreSQL's own. The kit's tables do not count: what is in them keeps no file. */
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
