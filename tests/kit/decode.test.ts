import { describe, expect, test } from "vitest";
import { decodeArguments } from "~/kit/functions/args";
import { transformer } from "~/kit/functions/transformer";
import { limits } from "~/kit/process/limits";

/** Returns what the server decodes when a client sends this. */
const received = (args: unknown): unknown => JSON.parse(JSON.stringify(transformer.serialize(args as object)));

describe("decodeArguments takes what a client sends", () => {
  const twice = { a: 1 };
  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a text", "text"],
    ["JSON", { a: [1, "b", { c: null, d: true }] }],
    ["dates", { at: new Date(0), list: [new Date(1), { deep: new Date(2) }] }],
    ["undefined", { a: undefined, b: [undefined] }],
    ["big integers", { n: 2n ** 64n, minus: -1n }],
    ["numbers that JSON has no word for", { nan: Number.NaN, inf: Number.POSITIVE_INFINITY, low: -0 }],
    ["URLs", { url: new URL("https://app.test/a?b=c") }],
    ["sets and maps, also in one another", { set: new Set([new Date(3), new Map([[1n, new Set(["x"])]])]) }],
    ["keys with dots and backslashes", { "a.b": { "c\\d": new Date(4), "\\.": 1n } }],
    ["reserved keys", { json: JSON.parse('{"constructor":{"prototype":1},"__proto__":2}') }],
    ["the same object twice", { one: twice, two: [twice] }],
    ["the same date twice", [new Date(5)].flatMap((date) => [date, date])],
  ])("%s", (_, args) => {
    expect(decodeArguments(received(args))).toEqual(args);
  });

  test("paths as older versions of superjson escape them", () => {
    const meta = { values: { "a\\.b": ["bigint"], "c\\": { d: ["bigint"] } } };
    const decoded = decodeArguments({ json: { "a.b": "1", "c\\": { d: "2" } }, meta });
    expect(decoded).toEqual({ "a.b": 1n, "c\\": { d: 2n } });
  });
});

describe("decodeArguments refuses", () => {
  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
  const annotated = (count: number) => ({
    json: Object.fromEntries(Array.from({ length: count }, (_, n) => [n, null])),
    meta: { values: Object.fromEntries(Array.from({ length: count }, (_, n) => [n, ["undefined"]])) },
  });

  test.each<[string, unknown, string]>([
    ["typed arrays of a length", { json: 1e9, meta: { values: [["typed-array", "Uint8Array"]] } }, "typed-array"],
    ["typed arrays of numbers", { json: [1], meta: { values: [["typed-array", "Uint8Array"]] } }, "typed-array"],
    ["regular expressions", { json: "/(a+)+b/", meta: { values: ["regexp"] } }, "regexp"],
    ["errors", { json: { message: "" }, meta: { values: ["Error"] } }, "Error"],
    ["symbols", { json: "a", meta: { values: [["symbol", "a"]] } }, "symbol"],
    ["classes", { json: {}, meta: { values: [["class", "Date"]] } }, "class"],
    ["other custom values", { json: {}, meta: { values: [["custom", "other"]] } }, "custom"],
    [
      "cyclic references",
      { json: { a: {} }, meta: { referentialEqualities: { a: ["a.b"] } } },
      "referentialEqualities",
    ],
    ["big integers that are too big", { json: "9".repeat(1001), meta: { values: ["bigint"] } }, "bigint"],
    ["big integers that are none", { json: "0x10", meta: { values: ["bigint"] } }, "bigint"],
    ["dates that are numbers", { json: 1, meta: { values: ["Date"] } }, "Date"],
    ["sets of a length", { json: 1e9, meta: { values: ["set"] } }, "set"],
    ["malformed URLs", { json: "http://", meta: { values: ["URL"] } }, "URL"],
    ["malformed JSON in JSON", { json: ["{"], meta: { values: [["custom", "json"]] } }, "malformed"],
    ["paths that lead nowhere", { json: { a: 1 }, meta: { values: { "a.b": ["Date"] } } }, "does not exist"],
    ["paths to what objects inherit", { json: {}, meta: { values: { "__proto__.x": ["Date"] } } }, "does not exist"],
    ["paths that are too long", { json: {}, meta: { values: { ["a.".repeat(600)]: ["Date"] } } }, "longer"],
    ["paths of too many keys", { json: {}, meta: { values: { ["a.".repeat(70)]: ["Date"] } } }, "nested"],
    ["trees that are none", { json: {}, meta: { values: 1 } }, "tree"],
    ["too many annotations", annotated(limits.argumentAnnotations + 1), "annotated"],
    ["too many values", { json: Array(limits.argumentValues + 1).fill(0) }, "values"],
    ["too many values, deep", { json: Array(200).fill(Array(100).fill(0)) }, "values"],
    ["too deep lists", { json: nested(limits.argumentDepth + 1) }, "nested"],
    ["what is no object", "text", "object"],
    ["meta that is no object", { json: 1, meta: 1 }, "object"],
  ])("%s", (_, sent, reason) => {
    expect(() => decodeArguments(sent)).toThrow(
      expect.objectContaining({ code: "BAD_REQUEST", message: expect.stringContaining(reason) }),
    );
  });

  test("with a short message, however long what it refuses is", () => {
    const key = "k".repeat(900);
    expect(() => decodeArguments({ json: {}, meta: { values: { [key]: ["Date"] } } })).toThrow(/^.{1,200}$/);
  });
});

describe("decodeArguments takes under 50 ms for the worst within the limits", () => {
  const bytes = limits.jsonBytes;
  const filled = (piece: string) => piece.repeat(Math.floor(bytes / piece.length));
  test.each<[string, string]>([
    ["many small lists", `{"json":[${filled("[],").slice(0, -1)}]}`],
    ["one deep list", `{"json":${"[".repeat(bytes / 2)}${"]".repeat(bytes / 2)}}`],
    [
      "one deep annotation",
      `{"json":1,"meta":{"values":${filled('{"a":')}1${filled('{"a":').replaceAll('{"a":', "}")}}}`,
    ],
    ["many annotations", `{"json":{},"meta":{"values":{${Array.from({ length: 20_000 }, (_, n) => `"${n}":[""]`)}}}}`],
    [
      "long paths",
      `{"json":{},"meta":{"values":{${Array.from({ length: 200 }, (_, n) => `"${"a.".repeat(500)}${n}":["Date"]`)}}}}`,
    ],
    ["a long big integer", `{"json":"${"9".repeat(bytes)}","meta":{"values":["bigint"]}}`],
    ["a long date", `{"json":"${"1".repeat(bytes)}","meta":{"values":["Date"]}}`],
    ["a long URL", `{"json":"http://${"a".repeat(bytes)}","meta":{"values":["URL"]}}`],
  ])("%s", (_, body) => {
    const sent: unknown = JSON.parse(body);
    const before = performance.now();
    try {
      decodeArguments(sent);
    } catch {
      // A refusal is as good as a result here.
    }
    // The limit has room for a busy machine, because what this guards against takes seconds.
    expect(performance.now() - before).toBeLessThan(250);
  });
});
