import SuperJSON from "superjson";

type Value = Parameters<SuperJSON["serialize"]>[0];

/** Sends a value that occurs twice as two values. The server takes no word of which are one: see decode.ts. */
class Transformer extends SuperJSON {
  override serialize(value: Value) {
    const { json, meta } = super.serialize(value);
    return meta?.values ? { json, meta: { values: meta.values, v: meta.v } } : { json };
  }
}

/**
 * How arguments and results travel: JSON, with notes of what JSON has no word for, such as dates. Server and browser use
 * this one instance. The server reads arguments with `decodeArguments`, because anybody can send them.
 */
export const transformer = new Transformer();

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
