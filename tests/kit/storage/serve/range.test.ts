import { expect, test } from "vitest";
import { parseRange } from "~/kit/storage/serve";

const whole = null;
const unsatisfiable = "unsatisfiable";
const part = (start: number, end: number) => ({ start, end });
const nines = "9".repeat(40);

test.each([
  // One range (RFC 9110 §14.1.2).
  ["bytes=0-0", 10, part(0, 0)],
  ["bytes=0-9", 10, part(0, 9)],
  ["bytes=2-5", 10, part(2, 5)],
  ["bytes=9-9", 10, part(9, 9)],
  ["bytes=0-", 10, part(0, 9)],
  ["bytes=9-", 10, part(9, 9)],
  ["bytes=-1", 10, part(9, 9)],
  ["bytes=-10", 10, part(0, 9)],
  ["bytes=007-008", 10, part(7, 8)],
  ["bytes=0-0", 1, part(0, 0)],
  ["bytes=-1", 1, part(0, 0)],
  // Ends beyond the file.
  ["bytes=0-10", 10, part(0, 9)],
  ["bytes=5-99999", 10, part(5, 9)],
  [`bytes=5-${nines}`, 10, part(5, 9)],
  ["bytes=-11", 10, part(0, 9)],
  [`bytes=-${nines}`, 10, part(0, 9)],
  ["bytes=8589934592-8589934593", 2 ** 34, part(2 ** 33, 2 ** 33 + 1)],
  // Nothing of the file.
  ["bytes=10-", 10, unsatisfiable],
  ["bytes=10-10", 10, unsatisfiable],
  ["bytes=11-20", 10, unsatisfiable],
  [`bytes=${nines}-`, 10, unsatisfiable],
  ["bytes=-0", 10, unsatisfiable],
  ["bytes=-000", 10, unsatisfiable],
  // The unit is case-insensitive (§14.1); lists may have empty members (§5.6.1.2).
  ["Bytes=0-1", 10, part(0, 1)],
  ["BYTES=-1", 10, part(9, 9)],
  ["bytes=0-1,", 10, part(0, 1)],
  ["bytes=,0-1", 10, part(0, 1)],
  ["bytes= , 0-1 , ,", 10, part(0, 1)],
  ["bytes=\t0-1", 10, part(0, 1)],
  // Several ranges are never worth it, least of all these (§14.2, §17.15).
  ["bytes=0-1,3-4", 10, whole],
  ["bytes=0-1,0-1", 10, whole],
  ["bytes=0-1, -1", 10, whole],
  ["bytes=99-,0-1", 10, whole],
  // Malformed.
  ["", 10, whole],
  ["bytes", 10, whole],
  ["bytes=", 10, whole],
  ["bytes=-", 10, whole],
  ["bytes=,", 10, whole],
  ["bytes=5-4", 10, whole],
  ["bytes=99-98", 10, whole],
  ["bytes=a-b", 10, whole],
  ["bytes=0-b", 10, whole],
  ["bytes=0", 10, whole],
  ["bytes=--1", 10, whole],
  ["bytes=0--1", 10, whole],
  ["bytes=+0-1", 10, whole],
  ["bytes=0x0-0x1", 10, whole],
  ["bytes=1e0-2", 10, whole],
  ["bytes=0.0-1", 10, whole],
  ["bytes=0 - 1", 10, whole],
  ["bytes=0-1;q=1", 10, whole],
  ["bytes=0-1\u00a0", 10, whole],
  ["bytes=\u00a00-1", 10, whole],
  ["bytes=0-1/10", 10, whole],
  ["bytes =0-1", 10, whole],
  [" bytes=0-1", 10, whole],
  ["xbytes=0-1", 10, whole],
  ["bytes:0-1", 10, whole],
  ["bytes=bytes=0-1", 10, whole],
  // Other units, and no header.
  ["items=0-1", 10, whole],
  ["none", 10, whole],
  [null, 10, whole],
  // An empty file is never a 206.
  ["bytes=0-", 0, whole],
  ["bytes=0-0", 0, whole],
  ["bytes=-1", 0, whole],
  ["bytes=5-", 0, whole],
  ["bytes=-0", 0, whole],
])("parseRange: %s of %i bytes", (header, size, expected) => {
  expect(parseRange(header, size)).toEqual(expected);
});

test.each([
  ["ranges", "0-,".repeat(5000)],
  ["commas", ",".repeat(15_000)],
  ["spaces", " ".repeat(15_000)],
  ["digits", "1".repeat(15_000)],
])("parseRange: a header full of %s asks for the whole", (_, text) => {
  expect(parseRange(`bytes=${text}x`, 10)).toBe(whole);
});
