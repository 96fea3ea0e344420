import sharp, { type Sharp } from "sharp";
import { describe, expect, test, vi } from "vitest";
import { makeThumbnail } from "~/functions/thumbnail";
import { pool, prisma } from "~/kit/database/database";
import { runDueJobs } from "~/kit/jobs/runner";
import { env } from "~/kit/process/env";
import { apiOf, uploadFile } from "../kit/caller";
import { eventually } from "../kit/eventually";

const canvas = (width: number, height: number, colour = "red") =>
  sharp({ create: { width, height, channels: 3, background: colour } });

/** The left half red, the right half blue. */
const halves = () =>
  canvas(400, 200).composite([
    { input: { create: { width: 200, height: 200, channels: 3, background: "blue" } }, left: 200, top: 0 },
  ]);

const toBuffer = async (image: Sharp) => new Uint8Array(await image.toBuffer()).buffer;
const thumbnailOf = (bytes: ArrayBuffer) => makeThumbnail(new Blob([bytes]));

/** The colours of a thumbnail at its left, right, top and bottom edge. */
async function edges(blob: Blob) {
  const { data, info } = await sharp(await blob.arrayBuffer())
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([200, 200]);
  const at = (x: number, y: number) => {
    const [red = 0, green = 0, blue = 0] = data.subarray((y * 200 + x) * info.channels);
    if (green > 150) return "green";
    return red > blue ? "red" : "blue";
  };
  return { left: at(10, 100), right: at(190, 100), top: at(100, 10), bottom: at(100, 190) };
}

describe("makeThumbnail", () => {
  test("JPEG, cut to a square of the middle", async () => {
    expect(await edges(await thumbnailOf(await toBuffer(halves().jpeg())))).toMatchObject({
      left: "red",
      right: "blue",
    });
  });

  test("JPEG with orientation, upright", async () => {
    const rotated = await toBuffer(halves().withMetadata({ orientation: 6 }).jpeg());
    expect(await edges(await thumbnailOf(rotated))).toMatchObject({ top: "red", bottom: "blue" });
  });

  test("CMYK JPEG, its colours", async () => {
    const cmyk = await toBuffer(halves().toColourspace("cmyk").jpeg());
    expect((await sharp(cmyk).metadata()).space).toBe("cmyk");
    expect(await edges(await thumbnailOf(cmyk))).toMatchObject({ left: "red", right: "blue" });
  });

  test("16-bit PNG", async () => {
    const deep = await toBuffer(halves().toColourspace("rgb16").png());
    expect((await sharp(deep).metadata()).depth).toBe("ushort");
    expect(await edges(await thumbnailOf(deep))).toMatchObject({ left: "red", right: "blue" });
  });

  test.each(["gif", "webp"] as const)("animated %s, its first frame", async (format) => {
    const frames = await Promise.all(["red", "blue"].map((colour) => canvas(50, 50, colour).png().toBuffer()));
    const animated = await toBuffer(sharp(frames, { join: { animated: true } })[format]());
    expect((await sharp(animated).metadata()).pages).toBe(2);
    expect(await edges(await thumbnailOf(animated))).toMatchObject({ left: "red", bottom: "red" });
  });

  test("30,000² PNG, refused without decoding it", async () => {
    const before = process.memoryUsage().rss;
    await expect(thumbnailOf(new Uint8Array(pngHeader(30_000, 30_000)).buffer)).rejects.toMatchObject({
      code: "BAD_REQUEST",
    });
    const real = await toBuffer(canvas(8000, 8000).png({ compressionLevel: 9 }));
    await expect(thumbnailOf(real)).rejects.toThrow("exceeds pixel limit");
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
  });

  test.each([
    ["SVG", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
    ["HTML", "<html>"],
    ["nothing", ""],
    ["a broken PNG", "\x89PNG\r\n\x1a\n broken"],
  ])("%s, refused", async (_, text) => {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    await expect(thumbnailOf(bytes.buffer)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });
});

/** The first bytes of a PNG of that size. */
function pngHeader(width: number, height: number): Buffer {
  const header = Buffer.from("89504e470d0a1a0a0000000d494844520000000000000000080200000000000000", "hex");
  header.writeUInt32BE(width, 16);
  header.writeUInt32BE(height, 20);
  return header;
}

describe("images", () => {
  const ann = apiOf("ann");
  const png = async () => Buffer.from(await toBuffer(halves().png()));

  test("saveImage, the thumbnail follows", async () => {
    const storageId = await uploadFile(await png(), "image/png", ann);
    const image = await ann.images.saveImage({ storageId, title: "Halves", description: "red and blue" });
    expect(image).toMatchObject({
      title: "Halves",
      uploadedBy: "test|ann",
      contentType: "image/png",
      thumbnailId: null,
    });
    await runDueJobs(5000);
    const [listed] = (await ann.images.list()).page;
    expect(listed).toMatchObject({ _id: image._id, url: expect.any(String), thumbnailUrl: expect.any(String) });
  });

  test.each([
    ["text sent as an image", "hello", "image/png"],
    ["SVG", "<svg/>", "image/svg+xml"],
    ["an image sent as HTML", null, "text/html"],
  ])("saveImage of %s, refused", async (_, body, contentType) => {
    const storageId = await uploadFile(body ?? (await png()), contentType, ann);
    await expect(ann.images.saveImage({ storageId, title: "a" })).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("saveImage of more pixels than are decoded, refused by its first bytes", async () => {
    const large = await toBuffer(canvas(8000, 8000).png({ compressionLevel: 9 }));
    const storageId = await uploadFile(new Uint8Array(large), "image/png", ann);
    await expect(ann.images.saveImage({ storageId, title: "a" })).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
      message: expect.stringContaining("8000 × 8000"),
    });
  });

  test("saveImage of a picture that is named as another kind of picture: it is what its bytes are", async () => {
    const storageId = await uploadFile(await png(), "image/jpg", ann);
    expect(await ann.images.saveImage({ storageId, title: "a" })).toMatchObject({ contentType: "image/png" });
    expect(await ann.files.getMetadata({ storageId })).toMatchObject({ contentType: "image/png" });
  });

  test("saveImage of a file larger than an image may be, refused before it is read", async () => {
    const large = Buffer.concat([await png(), Buffer.alloc(20 * 2 ** 20)]);
    const storageId = await uploadFile(large, "image/png", ann);
    await expect(ann.images.saveImage({ storageId, title: "a" })).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  });

  test("saving too many in a minute, TOO_MANY_REQUESTS", async () => {
    const ids = [await uploadFile(await png(), "image/png", ann), await uploadFile(await png(), "image/png", ann)];
    await pool.query("TRUNCATE _rate_limits");
    // Where neither identity nor address counts, all callers are one, who may do a hundred times as much.
    const limit = vi.spyOn(env, "RATE_LIMIT_IMAGES", "get").mockReturnValue(0.01);
    const saves = ids.map((storageId) => ann.images.saveImage({ storageId, title: "a" }));
    const outcomes = await Promise.allSettled(saves);
    limit.mockRestore();
    await pool.query("TRUNCATE _rate_limits");
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const refused = outcomes.find(({ status }) => status === "rejected");
    expect(refused).toMatchObject({ reason: { code: "TOO_MANY_REQUESTS" } });
  });

  test("generateThumbnail, replaces the one before", async () => {
    const storageId = await uploadFile(await png(), "image/png", ann);
    const { _id: imageId } = await ann.images.saveImage({ storageId, title: "a" });
    await runDueJobs(5000);
    const first = await prisma.image.findUniqueOrThrow({ where: { id: imageId } });
    const second = await ann.images.generateThumbnail({ imageId });
    expect(await prisma.image.findUniqueOrThrow({ where: { id: imageId } })).toMatchObject({ thumbnailId: second });
    expect(await prisma.storage.findUnique({ where: { id: first.thumbnailId ?? "" } })).toBeNull();
  });

  test("deleteImage, removes document, thumbnail and files", async () => {
    const storageId = await uploadFile(await png(), "image/png", ann);
    const { _id: imageId } = await ann.images.saveImage({ storageId, title: "a" });
    await runDueJobs(5000);
    const { thumbnailId } = await prisma.image.findUniqueOrThrow({ where: { id: imageId } });
    await ann.images.deleteImage({ imageId });
    expect(await prisma.storage.count({ where: { id: { in: [storageId, thumbnailId ?? ""] } } })).toBe(0);
    await eventually(async () => expect(await prisma.unownedBlob.count({ where: { condemned: true } })).toBe(0));
  });

  test("of an image deleted before its thumbnail was made, the thumbnail is not kept", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const storageId = await uploadFile(await png(), "image/png", ann);
    const { _id: imageId } = await ann.images.saveImage({ storageId, title: "a" });
    await ann.images.deleteImage({ imageId });
    const files = await prisma.storage.count();
    await runDueJobs(5000);
    expect(await prisma.storage.count()).toBe(files);
    log.mockRestore();
  });

  test("downloadAndStore of a private host, refused", async () => {
    await expect(ann.images.downloadAndStore({ url: "http://127.0.0.1:1/a.png" })).rejects.toThrow(
      "not on the public internet",
    );
  });
});
