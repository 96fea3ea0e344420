/** A row of a table whose model has `id` and `creationTime`. */
interface Row {
  id: string;
  creationTime: Date;
}

/**
 * What callers see of a function's result: each row as a document, with `_id`, `_creationTime` in milliseconds since
 * the epoch, and big integers as numbers. Values that are not rows stay as they are.
 */
export type Documents<T> = T extends Row
  ? { _id: string; _creationTime: number } & { [K in Exclude<keyof T, keyof Row>]: Documents<T[K]> }
  : T extends bigint
    ? number
    : T extends Date | Uint8Array
      ? T
      : T extends object
        ? { [K in keyof T]: Documents<T[K]> }
        : T;

/** Renames rows to documents, wherever they are in `value`: the one place that knows both names (SPEC §1). */
export function toDocuments<T>(value: T): Documents<T>;
export function toDocuments(value: unknown): unknown {
  if (typeof value === "bigint") return toNumber(value);
  if (Array.isArray(value)) return value.map((item) => toDocuments(item));
  if (!isPlainObject(value)) return value;
  const { id, creationTime, ...fields } = value;
  const isRow = typeof id === "string" && creationTime instanceof Date;
  const entries = Object.entries(isRow ? fields : value).map(([key, field]) => [key, toDocuments(field)]);
  const renamed = isRow ? { _id: id, _creationTime: creationTime.getTime() } : {};
  return { ...renamed, ...Object.fromEntries(entries) };
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
