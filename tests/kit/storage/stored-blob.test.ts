import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { blobs } from "~/kit/storage/blobs";
import { openStoredBlob } from "~/kit/storage/stored-blob";
import { eventually } from "../eventually";
import { openFiles, storage } from "./kit";

const text = "0123456789";
const id = await storage.store(new Blob([text]), { contentType: "Text/Plain; charset=UTF-8" });
const keyOf = async (id: string) =>
  (await prisma.storage.findUniqueOrThrow({ where: { id }, omit: { blobKey: false } })).blobKey;
const get = async (storageId = id) => (await storage.get(storageId)) ?? expect.unreachable("The file is missing");

describe("ctx.storage.get", () => {
  test("a Blob with the file's size and type", async () => {
    const blob = await get();
    expect(blob).toBeInstanceOf(Blob);
    expect(Object.prototype.toString.call(blob)).toBe("[object Blob]");
    // Every Blob has a type.
    expect([blob.size, blob.type]).toEqual([10, "text/plain; charset=utf-8"]);
    expect((await get(await storage.store(new Blob([text])))).type).toBe("");
  });

  test.each<[string, (blob: Blob) => Promise<unknown>, unknown]>([
    ["text", (blob) => blob.text(), text],
    ["arrayBuffer", async (blob) => Buffer.from(await blob.arrayBuffer()).toString(), text],
    ["bytes", async (blob) => Buffer.from(await blob.bytes()).toString(), text],
    ["stream", (blob) => new Response(blob.stream()).text(), text],
    ["Response", (blob) => new Response(blob).text(), text],
    ["Response, its type", async (blob) => new Response(blob).headers.get("content-type"), "text/plain; charset=utf-8"],
    ["Request", (blob) => new Request("http://a.test", { method: "POST", body: blob }).text(), text],
    ["slice", (blob) => blob.slice(2, 5).text(), "234"],
    ["slice, its size", async (blob) => blob.slice(2, 5).size, 3],
    ["slice, its type", async (blob) => [blob.slice(0).type, blob.slice(0, 1, "Image/PNG").type], ["", "image/png"]],
    ["slice, a Response of it", (blob) => new Response(blob.slice(8)).text(), "89"],
  ])("%s", async (_, read, expected) => {
    const blob = await get();
    expect(await read(blob)).toEqual(expected);
    // Reads the file again from its start.
    expect(await read(blob)).toEqual(expected);
  });

  const bounds = [undefined, 0, 1, 5, 9, 10, 11, 99, -1, -5, -10, -11, Number.NaN, Infinity, -Infinity];
  const slices = bounds.flatMap((start) => bounds.map((end) => [start, end] as const));

  test.each(slices)("slice from %s to %s, as of its text", async (start, end) => {
    const slice = (await get()).slice(start, end);
    expect([slice.size, await slice.text()]).toEqual([text.slice(start, end).length, text.slice(start, end)]);
  });

  test("slice of a slice, and between bytes", async () => {
    const blob = (await get()).slice(2, 8);
    expect(await blob.slice(1.7, 4.2).text()).toBe("345");
    expect(await blob.slice(1, 3).text()).toBe("34");
    expect(await blob.slice(-2).text()).toBe("67");
    expect(await blob.slice(4, 99).text()).toBe("67");
    expect(await blob.slice(5, 2).text()).toBe("");
  });

  test("a stream read into the reader's buffers", async () => {
    const reader = (await get()).stream().getReader({ mode: "byob" });
    const read = async () => Buffer.from((await reader.read(new Uint8Array(4))).value ?? []).toString();
    expect([await read(), await read(), await read(), await read()]).toEqual(["0123", "4567", "89", ""]);
  });

  test("printed, as other Blobs are", async () => {
    expect(inspect(await get())).toBe("Blob { size: 10, type: 'text/plain; charset=utf-8' }");
  });

  test("an empty file", async () => {
    const blob = await get(await storage.store(new Blob([])));
    expect([blob.size, await blob.text(), (await blob.bytes()).length]).toEqual([0, "", 0]);
    expect(await new Response(blob).text()).toBe("");
  });

  test("a byte order mark is left out of text, as of a Blob in memory", async () => {
    const bytes = Uint8Array.of(0xef, 0xbb, 0xbf, 0x61, 0xff);
    const blob = await get(await storage.store(new Blob([bytes])));
    expect(await blob.text()).toBe(await new Blob([bytes]).text());
    expect([...(await blob.bytes())]).toEqual([...bytes]);
  });

  test("two streams at once are read on their own", async () => {
    const blob = await get();
    const [first, second] = [blob.stream(), blob.stream()];
    expect(await new Response(second).text()).toBe(text);
    expect(await new Response(first).text()).toBe(text);
  });

  test("deleted meanwhile → what was not read yet rejects and says so", async () => {
    const storageId = await storage.store(new Blob([text]));
    const blob = await get(storageId);
    await storage.delete(storageId);
    await eventually(() => expect(blob.text()).rejects.toThrow(/deleted/));
    await expect(blob.arrayBuffer()).rejects.toThrow(/deleted/);
    await expect(blob.bytes()).rejects.toThrow(/deleted/);
    await expect(blob.slice(1).text()).rejects.toThrow(/deleted/);
    await expect(new Response(blob).text()).rejects.toThrow(/deleted/);
  });

  test.each<[string, (blob: Blob) => Promise<string>]>([
    ["a Blob", (blob) => new Blob(["<", blob, ">"]).text()],
    ["a Blob of its slice", (blob) => new Blob(["<", blob.slice(0, 9), blob.slice(1).slice(-1), ">"]).text()],
    ["a File", async (blob) => `<${await new File([blob], "name").text()}>`],
    [
      "a form",
      async (blob) => {
        const form = new FormData();
        form.append("file", blob, "name.txt");
        const sent = await new Response(form).formData();
        return `<${await (sent.get("file") as File).text()}>`;
      },
    ],
  ])("on a disk: part of %s", async (_, use) => {
    expect(await use(await get())).toBe(`<${text}>`);
  });

  test.each<[string, (blob: Blob) => unknown]>([
    ["a Blob", (blob) => new Blob([blob])],
    ["a File", (blob) => new File([blob], "name")],
    ["a form", (blob) => new FormData().append("file", blob)],
    ["text", (blob) => `${blob}`],
  ])("in a cloud store: made part of %s → throws, and says what to do", async (_, use) => {
    const source = { blobKey: await keyOf(id), size: 10n, contentType: "text/plain" };
    const blob = await openStoredBlob({ ...blobs, getNative: undefined }, source);
    expect(() => use(blob)).toThrow(/multipartBody.*arrayBuffer\(\)/);
    expect(await new Blob([await blob.arrayBuffer()]).text()).toBe(text);
  });
});

describe("ctx.storage.get, lazily", () => {
  let big: string;
  beforeAll(async () => {
    big = await storage.store(new Blob([new Uint8Array(3_000_000)]));
  });
  afterAll(() => storage.delete(big));

  test.each<[string, (blob: Blob) => unknown]>([
    ["nothing", () => undefined],
    ["a slice", (blob) => blob.slice(5)],
    ["a stream that nobody reads", (blob) => blob.stream()],
    ["a Response that nobody reads", (blob) => new Response(blob)],
    ["a stream cancelled before it began", (blob) => blob.stream().cancel()],
    ["a Response cancelled before it began", (blob) => new Response(blob).body?.cancel()],
    [
      "a stream cancelled on its way",
      async (blob) => {
        const reader = blob.stream().getReader();
        await reader.read();
        await reader.cancel();
      },
    ],
    ["all of it", (blob) => blob.arrayBuffer()],
  ])("%s keeps no file open", async (_, use) => {
    const blob = await get(big);
    const kept = await Promise.all(Array.from({ length: 5 }, () => use(blob)));
    await eventually(async () => expect(await openFiles()).toBe(0));
    expect(kept.length).toBe(5);
  });
});
