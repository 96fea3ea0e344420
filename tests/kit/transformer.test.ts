import SuperJSON from "superjson";
import { expect, test } from "vitest";
import { transformer } from "~/kit/functions/transformer";

const itself: Record<string, unknown> = { name: "a" };
itself.self = itself;

test.each([
  ["a text", "a"],
  ["nothing", null],
  ["undefined", undefined],
  ["a row", { _id: "1", _creationTime: 1.5, tags: ["a", null, true], nested: { empty: {} } }],
  ["a missing field", { a: undefined, b: 1 }],
  ["a hole in a list", [1, undefined, 3]],
  ["an empty place in a list", Object.assign(new Array(2), { 0: "a" })],
  ["numbers that JSON has no word for", [Number.NaN, Number.POSITIVE_INFINITY, -0]],
  ["a date among much else", { rows: [{ a: 1 }, { at: new Date(0) }] }],
  ["a big integer", { size: 2n ** 60n }],
  ["a set, a map and a URL", [new Set([1]), new Map([["a", 1]]), new URL("https://example.com")]],
  ["an object without a prototype", Object.assign(Object.create(null), { a: 1 })],
  ["a value that holds itself", itself],
])("%s travels as superjson has it", (_, value) => {
  const { json, meta } = new SuperJSON().serialize(value);
  const expected = meta?.values ? { json, meta: { values: meta.values, v: 1 } } : { json };
  expect(JSON.stringify(transformer.serialize(value))).toBe(JSON.stringify(expected));
});
