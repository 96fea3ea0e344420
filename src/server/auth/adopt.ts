import { Prisma } from "~/generated/prisma/client";
import { prisma } from "../database";

/** Columns of this name hold a `tokenIdentifier`. */
const ownerColumns = ["owner", "uploadedBy"];

/**
 * Gives everything that `from` owns to `to`: when a visitor becomes an account. All tables with a column named `owner` or
 * `uploadedBy` count, an app's own too. Running it again does nothing.
 */
export async function adoptRows({ from, to }: { from: string; to: string }): Promise<void> {
  await prisma.$transaction(async (client) => {
    await client.$executeRaw`SELECT set_config('storage.row', '*', true)`;
    const columns = await client.$queryRaw<{ table: string; column: string }[]>`
      SELECT attrelid::regclass::text AS "table", quote_ident(attname) AS "column"
      FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
      WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND NOT attisdropped
        AND attname = ANY(${ownerColumns}) AND atttypid = 'text'::regtype`;
    for (const { table, column } of columns) {
      // Names from the catalogue, quoted by PostgreSQL.
      await client.$executeRaw`
        UPDATE ${Prisma.raw(table)} SET ${Prisma.raw(column)} = ${to} WHERE ${Prisma.raw(column)} = ${from}`;
    }
  });
}
