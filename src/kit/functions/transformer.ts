import SuperJSON from "superjson";

type Value = Parameters<SuperJSON["serialize"]>[0];
type JSONValue = ReturnType<SuperJSON["serialize"]>["json"];

/** Sends a value that occurs twice as two values, because `decodeArguments` does not accept references. */
class Transformer extends SuperJSON {
  override serialize(value: Value) {
    // Most results need no annotations, and superjson would copy them.
    if (isJson(value, 0)) return { json: value };
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

/** How deep a value is looked at. One that holds itself is deeper. */
const maxDepth = 100;

/** Whether JSON can express everything in the value. */
function isJson(value: unknown, depth: number): value is JSONValue {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "object":
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth > maxDepth) return false;
  if (Array.isArray(value)) {
    // A loop by index also visits missing elements.
    for (let index = 0; index < value.length; index++) if (!isJson(value[index], depth + 1)) return false;
    return true;
  }
  if (!isPlain(value)) return false;
  for (const [key, field] of Object.entries(value)) {
    if (reserved.includes(key) || !isJson(field, depth + 1)) return false;
  }
  return true;
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
