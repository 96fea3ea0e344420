import { TRPCError } from "@trpc/server";
import type { z } from "zod";

/** Checks a function's arguments. Throws a `BAD_REQUEST` that names every wrong one. */
export function parseArgs<Args extends z.ZodObject>(args: Args, given: unknown): z.output<Args> {
  const { data, error } = args.safeParse(given ?? {});
  if (!error) return data;
  const problems = error.issues.map(({ path, message }) => `${path.join(".") || "arguments"}: ${message}`);
  throw new TRPCError({ code: "BAD_REQUEST", message: problems.join("; "), cause: error });
}
