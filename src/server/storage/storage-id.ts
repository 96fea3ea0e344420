import { TRPCError } from "@trpc/server";
import { v7 } from "uuid";
import { z } from "zod";

const schema = z
  .uuid({ error: ({ input }) => `Invalid storage id ${JSON.stringify(input)}; it is a UUID` })
  .toLowerCase();

/** The argument type of a storage id: `args: { storageId: storageId() }`. */
export const storageId = () => schema;

export const newStorageId = (): string => v7();

/** The id in its one spelling. Throws a `BAD_REQUEST` that quotes a malformed one. */
export function parseStorageId(id: unknown): string {
  const { data, error } = schema.safeParse(id);
  if (error) throw new TRPCError({ code: "BAD_REQUEST", message: z.prettifyError(error).replace(/^✖ /, "") });
  return data;
}
