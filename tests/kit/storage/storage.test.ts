import { createHash, randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { everything, storage, streamOf } from "./kit";

const bytes = new TextEncoder().encode("abc");
// The known answer of FIPS 180.
const hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const base64 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
const other = createHash("sha256").update("other");

const text = async (id: string) => (await storage.get(id))?.text();

describe("ctx.storage.store", () => {
  test.each<[string, () => Blob | ReadableStream<Uint8Array>, string, string | null]>([
    ["a Blob", () => new Blob(["abc"]), "abc", null],
    ["a Blob with a type", () => new Blob(["abc"], { type: "Text/Plain" }), "abc", "text/plain"],
    ["an empty Blob", () => new Blob([]), "", null],
    ["a File", () => new File(["abc"], "name.png", { type: "image/png" }), "abc", "image/png"],
    ["a stream", () => streamOf("a", "b", "c"), "abc", null],
    ["a stream of nothing", () => streamOf(), "", null],
    ["the body of a Response", () => new Response("abc").body ?? streamOf(), "abc", null],
    ["a stream through a stream", () => streamOf("abc").pipeThrough(new TransformStream()), "abc", null],
  ])("%s → an id", async (_, body, expected, contentType) => {
    const id = await storage.store(body());
    expect(await text(id)).toBe(expected);
    expect(await storage.getMetadata(id)).toMatchObject({ _id: id, size: expected.length, contentType });
  });

  test("a file of its own, copied", async () => {
    const original = await storage.store(new Blob(["abc"], { type: "text/plain" }));
    const copy = await storage.store((await storage.get(original)) ?? new Blob());
    expect(copy).not.toBe(original);
    expect(await storage.getMetadata(copy)).toMatchObject({ size: 3, sha256: hex, contentType: "text/plain" });
  });

  test.each([
    ["the option", new Blob(["abc"], { type: "text/plain" }), { contentType: "image/png" }, "image/png"],
    ["an empty option", new Blob(["abc"], { type: "text/plain" }), { contentType: "" }, "text/plain"],
    ["parameters", new Blob(["abc"]), { contentType: "text/plain; charset=UTF-8" }, "text/plain; charset=UTF-8"],
  ])("contentType: %s counts", async (_, body, options, expected) => {
    const id = await storage.store(body, options);
    expect((await storage.getMetadata(id))?.contentType).toBe(expected);
  });

  test.each([
    ["half a type", "image"],
    ["two types", "image/png, text/html"],
    ["a line break", "image/png\r\nSet-Cookie: x=1"],
    ["letters of other scripts", "bild/größe"],
    ["a long one", `text/plain; x=${"y".repeat(300)}`],
  ])("contentType: %s → BAD_REQUEST that quotes its start, and nothing is stored", async (_, contentType) => {
    const before = await everything();
    const quoted = contentType.length > 100 ? `${contentType.slice(0, 100)}…` : contentType;
    const refusal = { code: "BAD_REQUEST", message: expect.stringContaining(JSON.stringify(quoted)) };
    await expect(storage.store(new Blob(["abc"]), { contentType })).rejects.toMatchObject(refusal);
    expect(await everything()).toEqual(before);
  });

  test("a Blob whose own type is none → BAD_REQUEST", async () => {
    const blob = new Blob(["abc"], { type: "png" });
    await expect(storage.store(blob)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test.each([[hex], [hex.toUpperCase()], [base64]])("sha256 %s of these bytes → an id", async (sha256) => {
    expect(await text(await storage.store(new Blob([bytes]), { sha256 }))).toBe("abc");
    expect(await text(await storage.store(streamOf(bytes), { sha256 }))).toBe("abc");
  });

  test.each([
    ["hex of others", other.copy().digest("hex")],
    ["base64 of others", other.copy().digest("base64")],
    ["nothing", ""],
    ["hex, a digit short", hex.slice(1)],
    ["hex, a digit long", `${hex}0`],
    ["hex with spaces", ` ${hex}`],
    ["base64 without padding", base64.slice(0, -1)],
    ["base64url", base64.replace("+", "-").replace("/", "_")],
    ["base64 with bits to spare", base64.replace("a0=", "a1=")],
    ["base64 of other than 32 bytes", "YWJj"],
    ["an algorithm and base64", `sha-256=${base64}`],
  ])("sha256: %s → BAD_REQUEST, and nothing is stored", async (_, sha256) => {
    const before = await everything();
    await expect(storage.store(new Blob([bytes]), { sha256 })).rejects.toMatchObject({ code: "BAD_REQUEST" });
    await expect(storage.store(streamOf(bytes), { sha256 })).rejects.toMatchObject({ code: "BAD_REQUEST" });
    expect(await everything()).toEqual(before);
  });

  test.each([
    ["at its start", () => streamOf(new Error("The source broke"))],
    ["on its way", () => streamOf("x".repeat(3_000_000), new Error("The source broke"))],
  ])("a stream that fails %s → its own error, and nothing is stored", async (_, body) => {
    const before = await everything();
    await expect(storage.store(body())).rejects.toThrow("The source broke");
    expect(await everything()).toEqual(before);
  });

  test("a stream that is being read → throws, and nothing is stored", async () => {
    const before = await everything();
    const locked = streamOf("abc");
    locked.getReader();
    await expect(storage.store(locked)).rejects.toThrow(/locked/);
    expect(await everything()).toEqual(before);
  });

  test("many at once → as many files", async () => {
    const texts = Array.from({ length: 20 }, (_, n) => `file ${n}`);
    const ids = await Promise.all(texts.map((text) => storage.store(new Blob([text]))));
    expect(new Set(ids).size).toBe(20);
    expect(await Promise.all(ids.map(text))).toEqual(texts);
  });
});

describe("ctx.storage, of a missing file", () => {
  test.each([["never stored"], ["deleted"]])("%s: null, null, null, and delete → NOT_FOUND", async (how) => {
    const id = how === "deleted" ? await storage.store(new Blob(["abc"])) : randomUUID();
    if (how === "deleted") await storage.delete(id);
    expect(await storage.getUrl(id)).toBeNull();
    expect(await storage.getUrl(id, { expiresIn: 1000, downloadAs: "a" })).toBeNull();
    expect(await storage.getMetadata(id)).toBeNull();
    expect(await storage.get(id)).toBeNull();
    const refusal = { code: "NOT_FOUND", message: expect.stringContaining(id) };
    await expect(storage.delete(id)).rejects.toMatchObject(refusal);
    await expect(storage.delete(id)).rejects.toMatchObject(refusal);
  });
});

describe("ctx.storage, of an id", () => {
  test("in capitals: the same file, and the same URL", async () => {
    const id = await storage.store(new Blob(["abc"]));
    expect(await text(id.toUpperCase())).toBe("abc");
    expect(await storage.getUrl(id.toUpperCase())).toBe(await storage.getUrl(id));
    await storage.delete(id.toUpperCase());
    expect(await storage.get(id)).toBeNull();
  });

  test.each([["x"], [""], ["../x"], ["'; --"]])("%j, malformed → BAD_REQUEST that quotes it", async (id) => {
    const refusal = { code: "BAD_REQUEST", message: expect.stringContaining(JSON.stringify(id)) };
    await expect(storage.getUrl(id)).rejects.toMatchObject(refusal);
    await expect(storage.getMetadata(id)).rejects.toMatchObject(refusal);
    await expect(storage.get(id)).rejects.toMatchObject(refusal);
    await expect(storage.delete(id)).rejects.toMatchObject(refusal);
  });
});

describe("ctx.storage.getUrl", () => {
  test("absolute, from APP_ORIGIN, and the same string when asked again", async () => {
    const id = await storage.store(new Blob(["abc"]));
    const url = await storage.getUrl(id);
    expect(url).toMatch(new RegExp(`^http://app\\.test/api/storage/${id}/[\\w-]{43}$`));
    expect(await storage.getUrl(id)).toBe(url);
  });

  test.each([[{ expiresIn: 0 }], [{ expiresIn: Number.NaN }], [{ downloadAs: "x".repeat(256) }]])(
    "%j → BAD_REQUEST that names it",
    async (options) => {
      const id = await storage.store(new Blob(["abc"]));
      const refusal = { code: "BAD_REQUEST", message: expect.stringContaining(Object.keys(options)[0] ?? "") };
      await expect(storage.getUrl(id, options)).rejects.toMatchObject(refusal);
    },
  );
});
