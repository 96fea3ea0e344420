import { z } from "zod";
import type { Prisma, PrismaClient } from "~/generated/prisma/client";

/** A model's name in ids: that of `ctx.db`, and the names that Convex has for files and jobs. */
type TableOf<Model extends string> = Model extends "Storage"
  ? "_storage"
  : Model extends "ScheduledFunction"
    ? "_scheduled_functions"
    : Uncapitalize<Model>;

/** For example `"message"`, as in `ctx.db.message`, or `"_storage"`. */
export type TableName = TableOf<Prisma.ModelName>;

declare const table: unique symbol;

/**
 * The id of a row of one table. The id of a row of another table does not compile in its place. Any other text does,
 * because texts come from URLs and forms; the argument validators `id` and `storageId` check them.
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

interface Payload {
  name: string;
  objects: object;
  scalars: object;
}

/** The model that a column refers to: its own for `id`, and for `storageId` that of the relation `storage`. */
type Referred<P extends Payload, Column> = Column extends "id"
  ? P["name"]
  : Column extends `${infer Relation extends keyof P["objects"] & string}Id`
    ? NonNullable<P["objects"][Relation]> extends { name: infer Model extends string }
      ? Model
      : never
    : never;

/** The columns of ids, as an extension of Prisma's client would declare them. Only types know of it. */
type IdColumns<P extends Payload> = {
  [Column in keyof P["scalars"] as P["scalars"][Column] extends string | null
    ? [Referred<P, Column>] extends [never]
      ? never
      : Column
    : never]: () => {
    compute: () => Id<Extract<TableOf<Referred<P, Column>>, TableName>> | Extract<P["scalars"][Column], null>;
  };
};

interface WithIds {
  result: { [Model in Prisma.ModelName as Uncapitalize<Model>]: IdColumns<Prisma.TypeMap["model"][Model]["payload"]> };
  model: Record<never, never>;
  query: Record<never, never>;
  client: Record<never, never>;
}

/** Prisma's client, whose rows have typed ids. */
export type ClientWithIds = PrismaClient<
  never,
  { storage: { blobKey: true }; storageVariant: { blobKey: true } },
  WithIds
>;
