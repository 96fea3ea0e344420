// Compiled by `npm run check`, never run: what callers see of a row.
import type { inferRouterOutputs } from "@trpc/server";
import type { AppRouter } from "~/functions";
import type { Prisma } from "~/generated/prisma/client";
import { query } from "~/kit/functions/builders";
import type { Documents } from "~/kit/functions/document";
import type { Id } from "~/kit/server";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>) => undefined;

interface Row {
  id: string;
  creationTime: Date;
  size: bigint;
  note?: string;
  readonly tags: string[];
}

// Flat, with what is optional and what is read-only as it was.
same<Documents<Row>, { _id: string; _creationTime: number; size: number; note?: string; readonly tags: string[] }>(
  true,
);
same<Documents<{ at: Date; row: Row | null }>["row"], Documents<Row> | null>(true);
// Without a creation time it is no row.
same<Documents<{ id: string; n: number }>, { id: string; n: number }>(true);

// Decimal numbers arrive as strings, JSON and enums as they are.
same<
  Documents<{ price: Prisma.Decimal; data: Prisma.JsonValue; maybe?: Prisma.JsonValue; format: "text" | "image" }>,
  { price: string; data: Prisma.JsonValue; maybe?: Prisma.JsonValue; format: "text" | "image" }
>(true);

type Message = inferRouterOutputs<AppRouter>["messages"]["list"]["page"][number];
same<Message["format"], "text" | "image">(true);
same<Message["_id"], Id<"message">>(true);
same<Message["storageId"], Id<"_storage"> | null>(true);
// @ts-expect-error the browser never sees `id`
type _ = Message["id"];

// @ts-expect-error a number is not the shape of arguments
query({ args: 1, handler: () => 1 });
// @ts-expect-error a function has a handler
query({ args: {} });
