import type { BetterAuthPlugin } from "better-auth";
import { Prisma } from "~/generated/prisma/client";
import { type Client, maintenance, prisma } from "../database/database";
import { models } from "../live/reads";

type Model = Exclude<keyof Client, `$${string}` | symbol>;
type Row<M extends Model> = NonNullable<Awaited<ReturnType<Client[M]["findFirst"]>>>;
type TextColumn<R> = { [K in keyof R]-?: R[K] extends string | null ? K : never }[keyof R];

/** For each model, the column that holds the owner's `tokenIdentifier`. */
export type Owners = { readonly [M in Model]?: TextColumn<Row<M>> };

/**
 * Gives everything that the visitor `from` owns to the account `to`: files, and the rows of the models in `owners`. Running
 * uploads become the account's when they are done. Running this again does nothing.
 */
export async function adoptRows({ from, to }: { from: string; to: string }, owners: Owners): Promise<void> {
  await prisma.$transaction(async (client) => {
    await client.$executeRaw`
      INSERT INTO "_adoptions" ("from", "to") VALUES (${from}, ${to}) ON CONFLICT ("from") DO NOTHING`;
    await client.$executeRaw`SELECT set_config('storage.row', '*', true)`;
    await client.$executeRaw`UPDATE "_storage" SET "owner" = ${to} WHERE "owner" = ${from}`;
    for (const { table, column } of columnsOf(owners)) {
      // These names come from the app's schema, so they need no escaping.
      const [target, owner] = [Prisma.raw(table), Prisma.raw(`"${column}"`)];
      await client.$executeRaw`UPDATE ${target} SET ${owner} = ${to} WHERE ${owner} = ${from}`;
    }
  });
}

interface AccountOptions {
  owners: Owners;
  plugins: readonly BetterAuthPlugin[];
}

let options: AccountOptions = { owners: {}, plugins: [] };

/** Keeps what `createKit` was told about accounts, for the process. */
export function setAccountOptions(given: AccountOptions): void {
  options = given;
}

/** Returns what `createKit` was told about accounts. */
export const accountOptions = (): AccountOptions => options;

/** Returns the names of the tables and columns in the database. */
export function columnsOf(owners: Owners): { table: string; column: string }[] {
  return Object.entries(owners).flatMap(([key, field]) => {
    const [name, model] = Object.entries(models).find(([name]) => name[0]?.toLowerCase() + name.slice(1) === key) ?? [];
    if (!name || !model) return [];
    const column = model.fields.find((each) => each.name === field)?.dbName ?? String(field);
    const table = `"${model.dbName ?? name}"`;
    return [{ table: model.schema ? `"${model.schema}".${table}` : table, column }];
  });
}

/** Lists columns that look like owner columns and are not in `owners`, as `table.column`. */
export async function findUnlistedOwners(owners: Owners): Promise<string[]> {
  const listed = columnsOf(owners).map(
    ({ table, column }) => `${table.split(".").at(-1)?.replaceAll('"', "")}.${column}`,
  );
  const rows = await maintenance.$queryRaw<{ name: string }[]>`
    SELECT relname || '.' || attname AS name FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace AND relname !~ '^_' AND attnum > 0
      AND NOT attisdropped AND format_type(atttypid, NULL) IN ('text', 'character varying')
      AND attname ~* '^(owner|user|account|creator|uploader|createdby|created_by|uploadedby|uploaded_by|addedby|ownedby|owned_by)_?(id|by|name|token|identifier|tokenidentifier)?$'
    ORDER BY 1`;
  return rows.flatMap(({ name }) => (listed.includes(name) ? [] : [name]));
}
