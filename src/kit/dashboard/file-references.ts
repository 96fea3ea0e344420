import { Prisma } from "~/generated/prisma/client";
import { prisma } from "../database/database";
import { findReferences } from "../storage/references";

/** A row that refers to a file. */
export interface FileReference {
  table: string;
  column: string;
  /** Its `_id`, and its name or title; `null` where the table has none. */
  row: string | null;
  label: string | null;
}

/** Of one column; enough to tell who uses a file, and the same cost for one that a million rows use. */
const perColumn = 5;

/** What refers to these files, by storage id, as the database's own foreign keys tell. */
export async function referencesOf(storageIds: string[]): Promise<Map<string, FileReference[]>> {
  const found = new Map<string, FileReference[]>(storageIds.map((id) => [id, []]));
  const columns = await findReferences(prisma);
  if (columns.length === 0 || storageIds.length === 0) return found;
  const selects = columns.map(({ table, column }) => {
    // Names from the catalogue, quoted by PostgreSQL.
    const [from, key] = [Prisma.raw(table), Prisma.raw(column)];
    return Prisma.sql`
      SELECT file.id::text AS id, ${table} AS "table", ${column} AS "column", referring.* FROM file, LATERAL (
        SELECT to_jsonb(r) ->> '_id' AS "row", coalesce(to_jsonb(r) ->> 'name', to_jsonb(r) ->> 'title') AS "label"
        FROM ${from} AS r WHERE r.${key} = file.id LIMIT ${perColumn}
      ) AS referring`;
  });
  const rows = await prisma.$queryRaw<({ id: string } & FileReference)[]>`
    WITH file AS (SELECT unnest(${storageIds}::uuid[]) AS id) ${Prisma.join(selects, " UNION ALL ")}`;
  for (const { id, table, column, ...row } of rows) {
    found.get(id)?.push({ table: unquoted(table), column: unquoted(column), ...row });
  }
  return found;
}

/** The tables that may refer to files. */
export async function referringTables(): Promise<string[]> {
  return (await findReferences(prisma)).map(({ table }) => unquoted(table));
}

const unquoted = (name: string) => name.replaceAll('"', "");
