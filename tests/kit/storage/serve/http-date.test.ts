import { afterEach, expect, test, vi } from "vitest";
import { parseHttpDate } from "~/kit/storage/serve";

afterEach(() => vi.useRealTimers());

const nov1994 = Date.UTC(1994, 10, 6, 8, 49, 37);

test.each([
  // The three forms of RFC 9110 §5.6.7.
  ["Sun, 06 Nov 1994 08:49:37 GMT", nov1994],
  ["Sunday, 06-Nov-94 08:49:37 GMT", nov1994],
  ["Sun Nov  6 08:49:37 1994", nov1994],
  ["Wed Nov 16 08:49:37 1994", Date.UTC(1994, 10, 16, 8, 49, 37)],
  ["Thu, 29 Feb 2024 23:59:59 GMT", Date.UTC(2024, 1, 29, 23, 59, 59)],
  ["Fri, 01 Jan 9999 00:00:00 GMT", Date.UTC(9999, 0, 1)],
  // A leap second.
  ["Sat, 31 Dec 2016 23:59:60 GMT", Date.UTC(2017, 0, 1)],
  // Not dates.
  ["", null],
  ["0", null],
  ["1994-11-06T08:49:37Z", null],
  ["Sun, 06 Nov 1994 08:49:37", null],
  ["Sun, 06 Nov 1994 08:49:37 UTC", null],
  ["Sun, 06 Nov 1994 08:49:37 +0000", null],
  ["sun, 06 nov 1994 08:49:37 gmt", null],
  ["Sun, 06 Nov 1994 08:49:37 GMT ", null],
  ["Sun, 6 Nov 1994 08:49:37 GMT", null],
  ["Sun, 06 Foo 1994 08:49:37 GMT", null],
  ["Sun, 31 Feb 1994 08:49:37 GMT", null],
  ["Wed, 29 Feb 2023 08:49:37 GMT", null],
  ["Sun, 00 Nov 1994 08:49:37 GMT", null],
  ["Sun, 06 Nov 1994 24:00:00 GMT", null],
  ["Sun, 06 Nov 1994 08:60:37 GMT", null],
  ["Sun, 06 Nov 1994 08:49:61 GMT", null],
  ["Sun, 06-Nov-94 08:49:37 GMT", null],
  ["Sunday, 06-Nov-1994 08:49:37 GMT", null],
  ["Sun Nov 6 08:49:37 1994", null],
  ["Sun Nov 06 08:49:37 1994", null],
  ["Sun Nov  6 08:49:37 1994 GMT", null],
  ["Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", null],
])("parseHttpDate: %s", (text, expected) => {
  expect(parseHttpDate(text)).toBe(expected);
});

test.each([
  ["Friday, 01-Jan-27 00:00:00 GMT", 2027],
  ["Tuesday, 01-Jan-75 00:00:00 GMT", 2075],
  ["Wednesday, 01-Jan-76 00:00:00 GMT", 2076],
  ["Friday, 01-Jan-77 00:00:00 GMT", 1977],
  ["Friday, 01-Jan-99 00:00:00 GMT", 1999],
])("parseHttpDate: %s in 2026 is of %i", (text, year) => {
  vi.useFakeTimers({ now: Date.UTC(2026, 5, 1) });
  expect(parseHttpDate(text)).toBe(Date.UTC(year, 0, 1));
});
