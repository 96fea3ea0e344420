import { TRPCError } from "@trpc/server";
import type { z } from "zod";
import { shorten } from "../log/text";
import { limits } from "../process/limits";

/** Problems that a refusal names. */
const maxProblems = 10;

/** Checks a function's arguments. Throws a `BAD_REQUEST` that names the wrong ones. */
export function parseArgs<Args extends z.ZodObject>(args: Args, given: unknown): z.output<Args> {
  const { data, error } = args.safeParse(given ?? {});
  if (error) throw new TRPCError({ code: "BAD_REQUEST", message: describeIssues(error) });
  return data;
}

/** NUL, and halves of surrogate pairs, which are characters of their own only when they stand alone. */
const unstorable = /\0|\p{Surrogate}/u;

/**
 * Refuses texts that PostgreSQL cannot hold, wherever they are in what was sent: those with a NUL, or with half of a
 * surrogate pair. Throws a `BAD_REQUEST` that names the field.
 */
export function refuseUnstorable(sent: unknown, path: readonly string[] = []): void {
  if (typeof sent === "string") {
    if (!unstorable.test(sent)) return;
    const field = shorten(path.join("."), 100) || "arguments";
    const message = `${field}: it has a character that is none, a NUL or half of a surrogate pair. Remove it`;
    throw new TRPCError({ code: "BAD_REQUEST", message });
  }
  if (typeof sent !== "object" || sent === null || path.length > limits.argumentDepth) return;
  if (ArrayBuffer.isView(sent)) return;
  const entries = sent instanceof Set || sent instanceof Map ? [...sent].entries() : Object.entries(sent);
  for (const [name, value] of entries) {
    const key = String(name);
    // A name is text as well.
    refuseUnstorable(key, path);
    refuseUnstorable(value, [...path, key]);
  }
}

/** What is wrong, by field. The fields' names, and what messages quote, were sent from outside. */
function describeIssues({ issues }: z.ZodError): string {
  const named = issues
    .slice(0, maxProblems)
    .map(({ path, message }) => `${shorten(path.join("."), 100) || "arguments"}: ${shorten(message, 300)}`);
  const more = issues.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more problems`] : [])].join("; ");
}
