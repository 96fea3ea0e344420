import type { Client } from "../database/database";

type Model = Exclude<keyof Client, `$${string}` | symbol>;
type Row<M extends Model> = NonNullable<Awaited<ReturnType<Client[M]["findFirst"]>>>;
type TextColumn<R> = { [K in keyof R]-?: R[K] extends string | null ? K : never }[keyof R];

/** By model, the column that holds whoever a row belongs to, as `tokenIdentifier`. */
export type Owners = { readonly [M in Model]?: TextColumn<Row<M>> };
