import { TRPCError } from "@trpc/server";
import type { z } from "zod";
import { quote, shorten } from "../log/text";
import { limits } from "../process/limits";

/** How many problems an error message lists. */
const maxProblems = 10;

/** Checks arguments. Throws a `BAD_REQUEST` that names the wrong ones. */
export function parseArgs<Args extends z.ZodObject>(args: Args, given: unknown): z.output<Args> {
  const { data, error } = args.safeParse(given ?? {});
  if (error) throw new TRPCError({ code: "BAD_REQUEST", message: describeIssues(error) });
  return data;
}

/** Matches a NUL, or half of a surrogate pair. With the flag `u`, whole pairs do not match. */
export const unstorable = /\0|\p{Surrogate}/u;

/**
 * Refuses a value that holds a text which PostgreSQL cannot store: one with a NUL, or with half of a surrogate pair. Throws a
 * `BAD_REQUEST` that names the field.
 */
export function refuseUnstorable(sent: unknown, path: readonly string[] = []): void {
  if (typeof sent === "string") {
    if (!unstorable.test(sent)) return;
    const field = shorten(path.join("."), 100) || "arguments";
    const message = `${field}: the text has a NUL or half of a surrogate pair, which cannot be stored. Remove it.`;
    throw new TRPCError({ code: "BAD_REQUEST", message });
  }
  if (typeof sent !== "object" || sent === null || path.length > limits.argumentDepth) return;
  if (ArrayBuffer.isView(sent)) return;
  const entries = sent instanceof Set || sent instanceof Map ? [...sent].entries() : Object.entries(sent);
  for (const [name, value] of entries) {
    const key = String(name);
    // The name of a field is a text, too.
    refuseUnstorable(key, path);
    refuseUnstorable(value, [...path, key]);
  }
}

/** Lists what is wrong with each field. Names and quoted values are cut, because a client sent them. */
function describeIssues({ issues }: z.ZodError): string {
  const named = issues
    .slice(0, maxProblems)
    .map(({ path, message }) => `${shorten(path.join("."), 100) || "arguments"}: ${shorten(message, 300)}`);
  const more = issues.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more problems`] : [])].join("; ");
}

/** What a client sends: JSON, and annotations for values that JSON cannot express, by path. */
interface Sent {
  json?: unknown;
  meta?: { values?: unknown; referentialEqualities?: unknown; v?: unknown };
}

type Kind = "undefined" | "Date" | "bigint" | "number" | "URL" | "set" | "map" | "json";

/** The kind of a value that JSON cannot express, and the path to it. */
interface Annotation {
  path: string[];
  kind: Kind;
}

/**
 * Decodes the arguments of a call, which superjson's `serialize` made. superjson's own `deserialize` is only safe for trusted
 * clients, because it builds arrays of any length and objects that refer to each other. This decoder accepts the kinds of
 * values that arguments need, limits their number, and takes time proportional to the length of the JSON.
 * @throws TRPCError `BAD_REQUEST`
 */
export function decodeArguments(sent: unknown): unknown {
  if (sent === undefined || sent === null) return undefined;
  if (!isRecord(sent)) throw refuse('they must be an object, {"json": …}');
  const { json, meta } = sent as Sent;
  countValues(json);
  if (meta === undefined || meta === null) {
    refuseUnstorable(json);
    return json;
  }
  if (!isRecord(meta)) throw refuse('"meta" must be an object');
  if (meta.referentialEqualities !== undefined) {
    throw refuse('"meta.referentialEqualities" is not supported. Send each value where it is used');
  }
  const root = { json };
  const annotations: Annotation[] = [];
  // Version 0 escapes dots in keys. Version 1 also escapes backslashes.
  collect(meta.values, ["json"], meta.v === 1, annotations);
  for (const annotation of annotations) apply(root, annotation);
  refuseUnstorable(root.json);
  return root.json;
}

/** Refuses JSON with too many or too deeply nested values, because checking it would take long. */
function countValues(json: unknown): void {
  let count = 0;
  let level: unknown[] = [json];
  for (let depth = 0; level.length > 0; depth++) {
    count += level.length;
    if (count > limits.argumentValues) throw refuse(`they hold more than ${limits.argumentValues} values`);
    if (depth > limits.argumentDepth) throw refuse(`they are nested more than ${limits.argumentDepth} deep`);
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value !== "object" || value === null) continue;
      // `push(...)` would fail for long lists, because a call takes a limited number of arguments.
      for (const child of Array.isArray(value) ? value : Object.values(value)) next.push(child);
      if (count + next.length > limits.argumentValues) break;
    }
    level = next;
  }
}

/** Lists the annotations of a tree, inner ones first, so that the values in a Set are made before the Set. */
function collect(tree: unknown, path: string[], escapesBackslash: boolean, found: Annotation[]): void {
  if (tree === undefined || tree === null) return;
  if (path.length > limits.argumentDepth) throw refuse(`they are nested more than ${limits.argumentDepth} deep`);
  const [kind, children] = Array.isArray(tree) ? tree : [undefined, tree];
  if (isRecord(children)) {
    for (const [key, child] of Object.entries(children)) {
      collect(child, [...path, ...parsePath(key, escapesBackslash)], escapesBackslash, found);
    }
  } else if (children !== undefined && children !== null) throw refuse('"meta.values" is not a tree of annotations');
  if (!Array.isArray(tree)) return;
  if (found.length >= limits.argumentAnnotations) {
    throw refuse(`they hold more than ${limits.argumentAnnotations} annotated values`);
  }
  found.push({ path, kind: kindOf(kind) });
}

/** `a.b\.c` → a, "b.c" */
function parsePath(text: string, escapesBackslash: boolean): string[] {
  if (text.length > 1_000) throw refuse("a path of an annotation is longer than 1000 characters");
  const segments: string[] = [];
  let segment = "";
  for (let index = 0; index < text.length; index++) {
    const [here, next] = [text[index], text[index + 1]];
    if (here === "\\" && (next === "." || (escapesBackslash && next === "\\"))) {
      segment += next;
      index++;
    } else if (here === ".") {
      segments.push(segment);
      segment = "";
    } else segment += here;
  }
  segments.push(segment);
  if (segments.length > limits.argumentDepth) throw refuse(`they are nested more than ${limits.argumentDepth} deep`);
  return segments;
}

const kinds: readonly string[] = ["undefined", "Date", "bigint", "number", "URL", "set", "map"] satisfies Kind[];

function kindOf(annotation: unknown): Kind {
  if (typeof annotation === "string" && kinds.includes(annotation)) return annotation as Kind;
  // `transformer` sends objects with reserved keys in this form.
  if (Array.isArray(annotation) && annotation[0] === "custom" && annotation[1] === "json") return "json";
  const given = Array.isArray(annotation) ? annotation[0] : annotation;
  throw refuse(`values of kind ${quote(given, 50)} are not supported`);
}

function apply(root: object, { path, kind }: Annotation): void {
  const last = path.at(-1) ?? "";
  let parent: unknown = root;
  for (const key of path.slice(0, -1)) parent = own(parent, key);
  const value = own(parent, last);
  Reflect.set(parent as object, last, convert(value, kind));
}

function own(parent: unknown, key: string): unknown {
  if (typeof parent !== "object" || parent === null || !Object.hasOwn(parent, key)) {
    throw refuse(`an annotation names ${quote(key, 50)}, which does not exist`);
  }
  return Reflect.get(parent, key);
}

function convert(value: unknown, kind: Kind): unknown {
  switch (kind) {
    case "undefined":
      return undefined;
    case "Date":
      return new Date(text(value, kind, /^[\d+:.TZ-]{1,40}$/));
    case "bigint":
      return BigInt(text(value, kind, /^-?\d{1,1000}$/));
    case "number":
      return Number(text(value, kind, /^(NaN|-?Infinity|-0)$/));
    case "URL": {
      const url = text(value, kind);
      if (url.length > 10_000 || !URL.canParse(url)) throw refuse("a URL is malformed");
      return new URL(url);
    }
    case "set":
      return new Set(list(value, kind));
    case "map":
      return new Map(list(value, kind).map((entry) => pair(entry)));
    case "json": {
      const [json] = list(value, kind);
      return parseInner(text(json, kind));
    }
  }
}

function parseInner(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse("an annotated JSON text is malformed");
  }
  countValues(value);
  return value;
}

function text(value: unknown, kind: Kind, form?: RegExp): string {
  if (typeof value === "string" && (form === undefined || form.test(value))) return value;
  throw refuse(`a value is annotated as ${kind} but is not one`);
}

function list(value: unknown, kind: Kind): unknown[] {
  if (Array.isArray(value)) return value;
  throw refuse(`a value is annotated as ${kind} but is not one`);
}

function pair(entry: unknown): [unknown, unknown] {
  if (!Array.isArray(entry) || entry.length !== 2) throw refuse("a value is annotated as map but is not one");
  return [entry[0], entry[1]];
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const refuse = (reason: string) =>
  new TRPCError({ code: "BAD_REQUEST", message: `Cannot decode the arguments: ${reason}.` });
