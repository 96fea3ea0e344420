import { TRPCError } from "@trpc/server";
import { v7 } from "uuid";
import { z } from "zod";
import { quote } from "../log/text";

const schema = z.uuid({ error: ({ input }) => `Invalid storage id ${named(input)}; it is a UUID` }).toLowerCase();

/** The argument type of a storage id: `args: { storageId: storageId() }`. */
export const storageId = () => schema;

export const newStorageId = (): string => v7();

/** The id in its one spelling. Throws a `BAD_REQUEST` that quotes a malformed one. */
export function parseStorageId(id: unknown): string {
  const { data, error } = schema.safeParse(id);
  if (error) throw new TRPCError({ code: "BAD_REQUEST", message: error.issues[0]?.message });
  return data;
}

/** Callers may send anything: what is no text may be endless, circular or have a `toString` of its own. */
function named(input: unknown): string {
  if (typeof input === "string") return quote(input);
  if (typeof input === "object" && input !== null) return "an object";
  return typeof input === "function" || typeof input === "symbol" ? `a ${typeof input}` : String(input);
}
