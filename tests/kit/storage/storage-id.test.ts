import { describe, expect, test } from "vitest";
import { newStorageId, parseStorageId, storageId } from "~/kit/storage/file";

const id = "0199c1a2-7b3c-7d4e-8f50-123456789abc";

describe("parseStorageId", () => {
  test.each([
    [id, id],
    [id.toUpperCase(), id],
    [newStorageId(), expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)],
  ])("%s → %s", (text, expected) => {
    expect(parseStorageId(text)).toEqual(expected);
    expect(storageId().parse(text)).toEqual(expected);
  });

  const circular: Record<string, unknown> = {};
  circular.self = circular;

  test.each<[unknown, string]>([
    ["", '""'],
    ["x", '"x"'],
    ["../../etc/passwd", '"../../etc/passwd"'],
    ["'; DROP TABLE _storage; --", '"\'; DROP TABLE _storage; --"'],
    ["a\r\nb\0", '"a\\r\\nb\\u0000"'],
    [id.slice(1), `"${id.slice(1)}"`],
    [`${id}0`, `"${id}0"`],
    [` ${id}`, `" ${id}"`],
    [`${id}\n`, `"${id}\\n"`],
    [`{${id}}`, `"{${id}}"`],
    [`urn:uuid:${id}`, `"urn:uuid:${id}"`],
    [id.replaceAll("-", ""), `"${id.replaceAll("-", "")}"`],
    [id.replace("0", "０"), `"${id.replace("0", "０")}"`],
    [undefined, "undefined"],
    [null, "null"],
    [7, "7"],
    [7n, "7"],
    [Number.NaN, "NaN"],
    [[id], "an object"],
    [{ toString: () => id }, "an object"],
    [circular, "an object"],
    [() => id, "a function"],
    [Symbol("id"), "a symbol"],
  ])("%s → BAD_REQUEST that quotes it", (value, quoted) => {
    const refusal = { code: "BAD_REQUEST", message: `A storage id is a UUID, not ${quoted}` };
    expect(() => parseStorageId(value)).toThrow(expect.objectContaining(refusal));
    expect(storageId().safeParse(value).success).toBe(false);
  });

  test("an endless text → BAD_REQUEST that quotes its start", () => {
    const message = `A storage id is a UUID, not "${"x".repeat(100)}…"`;
    expect(() => parseStorageId("x".repeat(1_000_000))).toThrow(message);
  });
});
