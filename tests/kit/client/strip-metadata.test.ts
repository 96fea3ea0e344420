import sharp from "sharp";
import { expect, test } from "vitest";
import { stripMetadata } from "~/kit/client/strip-metadata";
import { corpus, halves, look, oriented, withPlace } from "../storage/images/corpus";

const fileOf = (bytes: Uint8Array<ArrayBuffer>) => new File([bytes], "a.jpg", { type: "image/jpeg" });
const strip = async (bytes: Uint8Array<ArrayBuffer>) =>
  new Uint8Array(await (await stripMetadata(fileOf(bytes))).arrayBuffer());
const pixels = (bytes: Uint8Array) => sharp(bytes).autoOrient().raw().toBuffer();
const jpegs = Object.entries(corpus).filter(([name]) => name.includes("JPEG"));

test("a photograph no longer says where and by what it was taken", async () => {
  const original = await withPlace();
  const stripped = await strip(original);
  expect(Buffer.from(stripped).includes("SecretCamera")).toBe(false);
  expect((await sharp(stripped).metadata()).exif).toBeUndefined();
  expect((await pixels(stripped)).equals(await pixels(original))).toBe(true);
});

test.each(jpegs)("%s has the same pixels, upright, and the same profile", async (_, create) => {
  const original = await create();
  const stripped = await strip(original);
  expect((await pixels(stripped)).equals(await pixels(original))).toBe(true);
  const [before, after] = await Promise.all([original, stripped].map((bytes) => sharp(bytes).metadata()));
  expect([after?.orientation ?? 1, after?.icc]).toEqual([before?.orientation ?? 1, before?.icc]);
  expect(Buffer.from(await strip(stripped)).equals(stripped)).toBe(true);
});

test("only the orientation is left of EXIF", async () => {
  const stripped = await strip(await oriented(6));
  expect((await sharp(stripped).metadata()).exif).toHaveLength(32);
});

test("comments, Photoshop's data and what follows the picture are left out", async () => {
  const plain = new Uint8Array(await halves().jpeg().toBuffer());
  const segment = (marker: number, text: string) => [0xff, marker, 0, text.length + 2, ...Buffer.from(text)];
  const more = [...segment(0xfe, "by Ann"), ...segment(0xed, "Photoshop 3.0\0Ann"), ...segment(0xe2, "MPF\0Ann")];
  const full = Uint8Array.from([
    ...plain.subarray(0, 2),
    ...more,
    ...plain.subarray(2),
    ...Buffer.from("trailer of Ann"),
  ]);
  expect(await strip(full)).toEqual(plain);
  expect(await look(full)).toEqual(await look(plain));
});

test.each([
  ["a PNG", () => halves().png().toBuffer()],
  ["text", async () => Buffer.from("text")],
  ["nothing", async () => Buffer.alloc(0)],
])("%s is left as it is", async (_, create) => {
  const file = fileOf(new Uint8Array(await create()));
  expect(await stripMetadata(file)).toBe(file);
});

test.each([3, 10, 200, 700])("a JPEG that ends after %d bytes is refused", async (length) => {
  const bytes = (await withPlace()).slice(0, length);
  await expect(strip(bytes)).rejects.toThrow("damaged");
});
