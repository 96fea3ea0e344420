import { Prisma } from "~/generated/prisma/client";

/** A row of a table whose model has `id` and `creationTime`. */
interface Row {
  id: string;
  creationTime: Date;
}

/** The names that callers see for a row's id and time. */
interface Named<T extends Row> {
  /** The row's id. */
  _id: T["id"];
  /** When the row was made, in milliseconds since the epoch. */
  _creationTime: number;
}

/** Mapped without renaming, so that editors still find where a field is declared. */
type Fields<T, K extends keyof T> = { [P in K]: Documents<T[P]> };

/**
 * What callers see of a function's result: each row as a document, with `_id`, `_creationTime` in milliseconds since
 * the epoch, big integers as numbers, and decimal numbers as strings. Values that are not rows stay as they are.
 */
export type Documents<T> = [Prisma.JsonValue] extends [T]
  ? T // JSON, which holds no rows.
  : T extends string | Date | Uint8Array
    ? T
    : T extends Row
      ? Named<T> & Fields<T, Exclude<keyof T, "id" | "creationTime">> extends infer Document
        ? { [K in keyof Document]: Document[K] } // One flat object, for hovers.
        : never
      : T extends bigint
        ? number
        : T extends Prisma.Decimal
          ? string
          : T extends object
            ? { [K in keyof T]: Documents<T[K]> }
            : T;

/**
 * Renames rows to documents, wherever they are in `value`: the one place that knows both names. Throws for what
 * cannot be sent, while the transaction of a mutation can still be undone.
 */
export function toDocuments<T>(value: T): Documents<T>;
export function toDocuments(value: unknown): unknown {
  return convert(value, []);
}

/** How deep a result may be nested. A result that contains itself is deeper. */
const maxDepth = 100;

/** @param path to the value, for the error; one array that grows and shrinks */
function convert(value: unknown, path: (string | number)[]): unknown {
  switch (typeof value) {
    case "bigint":
      return toNumber(value);
    case "function":
    case "symbol":
      throw unsendable(`a ${typeof value}`, path);
    case "object":
      break;
    default:
      return value;
  }
  if (value === null) return value;
  if (path.length > maxDepth) throw unsendable("nested too deeply, or holds itself", path);
  if (Array.isArray(value)) return value.map((item, index) => within(item, index, path));
  if (!isPlainObject(value)) return sendable(value, path);
  const { id, creationTime } = value;
  const isRow = typeof id === "string" && creationTime instanceof Date;
  const document: Record<string, unknown> = isRow ? { _id: id, _creationTime: creationTime.getTime() } : {};
  for (const key of Object.keys(value)) {
    if (isRow && (key === "id" || key === "creationTime")) continue;
    const field = within(value[key], key, path);
    // An assignment to this name would change the prototype.
    if (key === "__proto__") Object.defineProperty(document, key, { value: field, enumerable: true });
    else document[key] = field;
  }
  return document;
}

function within(value: unknown, key: string | number, path: (string | number)[]): unknown {
  if (typeof value === "string" || value === null) return value;
  path.push(key);
  const converted = convert(value, path);
  path.pop();
  return converted;
}

/** Types that tRPC's transformer sends unchanged. */
const sentAsTheyAre = [Date, Uint8Array, Map, Set, RegExp, URL, Error];

function sendable(value: object, path: (string | number)[]): unknown {
  if (Prisma.Decimal.isDecimal(value)) return value.toString();
  if (sentAsTheyAre.some((type) => value instanceof type) || ArrayBuffer.isView(value)) return value;
  throw unsendable(`an instance of ${value.constructor?.name ?? "an unknown class"}`, path);
}

function unsendable(what: string, path: (string | number)[]): TypeError {
  const place = ["result", ...path].slice(0, 12).join(".");
  return new TypeError(`Cannot send ${place}: it is ${what}. Return plain objects, arrays, texts, numbers and dates`);
}

function toNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw new RangeError(`Cannot represent ${value} as a number; return it as a string`);
  return number;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
