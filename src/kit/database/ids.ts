import { z } from "zod";
import type { TableName } from "~/generated/prisma/ids";

declare const table: unique symbol;

/**
 * The id of a row of one table, named as in `ctx.db`, or `_storage` or `_scheduled_functions`. The id of a row of another
 * table does not compile in its place. Any other text does, because texts come from URLs and forms; the argument validators
 * `id` and `storageId` check them.
 *
 * @example
 * function Thumbnail({ storageId }: { storageId: Id<"_storage"> }) { … }
 */
export type Id<Table extends TableName> = string & { readonly [table]?: Table };

const uuid = z.uuid().toLowerCase();

/**
 * The argument type of the id of a row: `args: { messageId: id("message") }`. It checks that the text is a UUID, not that the
 * row exists. Ids of users are not UUIDs: use `z.string()` for them.
 *
 * @param _table the model, as in `ctx.db`
 */
export const id = <Table extends Exclude<TableName, "user">>(_table: Table): z.ZodType<Id<Table>, Id<Table>> => uuid;

/** A filter or an update of Prisma's for a column with ids. */
export type WithIds<Input, RowId> = { [Key in keyof Input]: WithIdsIn<Input[Key], RowId> };

type WithIdsIn<Value, RowId> = Value extends unknown
  ? string extends Value
    ? RowId
    : Value extends string[]
      ? RowId[]
      : "equals" extends keyof Value
        ? WithIds<Value, RowId>
        : Value
  : never;
