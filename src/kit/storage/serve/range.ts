import type { ByteRange } from "../drivers/driver";

/** A list of one range; RFC 9110 §5.6.1.2 lets lists have empty members. */
const single = /^bytes=[ \t,]*(\d*)-(\d*)[ \t,]*$/i;

/**
 * What a `Range` header asks of a file of `size` bytes (RFC 9110 §14.2): one range, `"unsatisfiable"`, or `null` for the
 * whole file, which is also the answer to a malformed header, another unit and several ranges.
 *
 *     bytes=0-499     → { start: 0, end: 499 }
 *     bytes=-500      → the last 500
 *     bytes=500-      → from 500 on
 *     bytes=9999999-  → "unsatisfiable"
 *     bytes=9-1, items=0-1, bytes=0-1,5-6 → null
 */
export function parseRange(header: string | null, size: number): ByteRange | "unsatisfiable" | null {
  const [, first, last] = single.exec(header ?? "") ?? [];
  // An empty file has no bytes to give a part of; clients that always ask for a range get it whole.
  if (size === 0 || first === undefined || last === undefined || first + last === "") return null;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return null;
  if (start >= size) return "unsatisfiable";
  return { start, end: last === "" ? size - 1 : Math.min(Number(last), size - 1) };
}
