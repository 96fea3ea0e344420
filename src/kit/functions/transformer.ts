import SuperJSON from "superjson";

type Value = Parameters<SuperJSON["serialize"]>[0];

/** Sends a value that occurs twice as two values, because `decodeArguments` does not accept references. */
class Transformer extends SuperJSON {
  override serialize(value: Value) {
    const { json, meta } = super.serialize(value);
    return meta?.values ? { json, meta: { values: meta.values, v: meta.v } } : { json };
  }
}

/**
 * Encodes arguments and results as JSON, with annotations for values that JSON cannot express, such as dates. The server and
 * the browser use this instance. The server decodes arguments with `decodeArguments` instead, because clients are not trusted.
 */
export const transformer = new Transformer();

const reserved = ["constructor", "prototype", "__proto__"];

// superjson refuses objects with such keys, but a JSON column may hold them. They are sent as a text.
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
