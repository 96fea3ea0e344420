import SuperJSON from "superjson";

/**
 * How arguments and results travel: JSON, with notes of what JSON has no word for, as dates. Server and browser use this
 * one instance.
 */
export const transformer = new SuperJSON();

const reserved = ["constructor", "prototype", "__proto__"];

// Of itself superjson refuses objects with such keys, which a column of JSON may hold: they go as a text.
transformer.registerCustom<object, string[]>(
  {
    isApplicable: (value): value is object => isPlain(value) && reserved.some((key) => Object.hasOwn(value, key)),
    serialize: (value) => [JSON.stringify(value)],
    deserialize: ([text = "null"]) => JSON.parse(text),
  },
  "json",
);

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
