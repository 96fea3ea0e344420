import { Prisma } from "~/generated/prisma/client";
import type { Client } from "../database/database";

/** A column with a foreign key to `_storage`. */
export interface Reference {
  /** Quoted, with its schema. */
  table: string;
  column: string;
}

/** Every column that refers to files, as the database itself knows them: a new table counts without registration. */
export function findReferences(client: Pick<Client, "$queryRaw">): Promise<Reference[]> {
  return client.$queryRaw<Reference[]>`
    SELECT conrelid::regclass::text AS "table", quote_ident(attname) AS "column"
    FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey)
    WHERE contype = 'f' AND confrelid = '"_storage"'::regclass
    ORDER BY 1, 2`;
}

/** True of a file `s` that no row refers to. */
export function unreferenced(references: Reference[]): Prisma.Sql {
  const conditions = references.map(
    // Names from the catalogue, quoted by PostgreSQL.
    ({ table, column }) => Prisma.raw(`NOT EXISTS (SELECT FROM ${table} AS r WHERE r.${column} = s."_id")`),
  );
  return Prisma.join([Prisma.raw("true"), ...conditions], " AND ");
}

/**
 * Columns that look like a storage id, by name, but have no foreign key. Each as `"table"."column"`.
 */
export async function findLooseReferences(client: Pick<Client, "$queryRaw">): Promise<string[]> {
  const rows = await client.$queryRaw<{ name: string }[]>`
    SELECT format('%s.%I', attrelid::regclass, attname) AS name
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
      AND relname !~ '^_' AND attname ~* 'storage_?ids?$'
      AND NOT EXISTS (
        SELECT FROM pg_constraint
        WHERE contype = 'f' AND conrelid = attrelid AND attnum = ANY(conkey) AND confrelid = '"_storage"'::regclass
      )
    ORDER BY 1`;
  return rows.map(({ name }) => name);
}
