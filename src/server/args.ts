import { TRPCError } from "@trpc/server";
import type { z } from "zod";
import { shorten } from "./quote";

/** Problems that a refusal names. */
const maxProblems = 10;

/** Checks a function's arguments. Throws a `BAD_REQUEST` that names the wrong ones. */
export function parseArgs<Args extends z.ZodObject>(args: Args, given: unknown): z.output<Args> {
  const { data, error } = args.safeParse(given ?? {});
  if (!error) return data;
  throw new TRPCError({ code: "BAD_REQUEST", message: describeIssues(error) });
}

/** What is wrong, by field. The fields' names, and what messages quote, were sent from outside. */
export function describeIssues({ issues }: z.ZodError): string {
  const named = issues
    .slice(0, maxProblems)
    .map(({ path, message }) => `${shorten(path.join("."), 100) || "arguments"}: ${shorten(message, 300)}`);
  const more = issues.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more problems`] : [])].join("; ");
}
