import { describe, expect, test, vi } from "vitest";
import { app } from "~/functions";
import { database, testApp } from "~/kit/testing";
import { apiOf, uploadFile } from "../kit/caller";
import { eventually } from "../kit/eventually";
import { env } from "../kit/inside";
import { canvas, halves } from "../kit/storage/images/corpus";

const { runJobs } = testApp(app);

describe("images", () => {
  const ann = apiOf("ann");
  const png = () => halves().png().toBuffer();

  test("saveImage, the thumbnail follows", async () => {
    const storageId = await uploadFile(await png(), "image/png", ann);
    const image = await ann.images.saveImage({ storageId, title: "Halves", description: "red and blue" });
    expect(image).toMatchObject({
      title: "Halves",
      uploadedBy: "test|ann",
      contentType: "image/png",
      thumbnailId: null,
    });
    await runJobs();
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
    const large = await canvas(8000, 8000).png({ compressionLevel: 9 }).toBuffer();
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
    await database.$executeRaw`TRUNCATE _rate_limits`;
    // Callers without an identity and an address count as one caller, which may make a hundred times as many calls.
    const limit = vi.spyOn(env, "RATE_LIMIT_IMAGES", "get").mockReturnValue(0.01);
    const saves = ids.map((storageId) => ann.images.saveImage({ storageId, title: "a" }));
    const outcomes = await Promise.allSettled(saves);
    limit.mockRestore();
    await database.$executeRaw`TRUNCATE _rate_limits`;
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const refused = outcomes.find(({ status }) => status === "rejected");
    expect(refused).toMatchObject({ reason: { code: "TOO_MANY_REQUESTS" } });
  });

  test("generateThumbnail, replaces the one before", async () => {
    const storageId = await uploadFile(await png(), "image/png", ann);
    const { _id: imageId } = await ann.images.saveImage({ storageId, title: "a" });
    await runJobs();
    const first = await database.image.findUniqueOrThrow({ where: { id: imageId } });
    const second = await ann.images.generateThumbnail({ imageId });
    expect(await database.image.findUniqueOrThrow({ where: { id: imageId } })).toMatchObject({ thumbnailId: second });
    expect(await database.storage.findUnique({ where: { id: first.thumbnailId ?? "" } })).toBeNull();
  });

  test("deleteImage, removes document, thumbnail and files", async () => {
    const storageId = await uploadFile(await png(), "image/png", ann);
    const { _id: imageId } = await ann.images.saveImage({ storageId, title: "a" });
    await runJobs();
    const { thumbnailId } = await database.image.findUniqueOrThrow({ where: { id: imageId } });
    await ann.images.deleteImage({ imageId });
    expect(await database.storage.count({ where: { id: { in: [storageId, thumbnailId ?? ""] } } })).toBe(0);
    await eventually(async () => expect(await database.unownedBlob.count({ where: { condemned: true } })).toBe(0));
  });

  test("of an image deleted before its thumbnail was made, the thumbnail is not kept", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const storageId = await uploadFile(await png(), "image/png", ann);
    const { _id: imageId } = await ann.images.saveImage({ storageId, title: "a" });
    await ann.images.deleteImage({ imageId });
    const files = await database.storage.count();
    await runJobs();
    expect(await database.storage.count()).toBe(files);
    log.mockRestore();
  });

  test("downloadAndStore of a private host, refused", async () => {
    await expect(ann.images.downloadAndStore({ url: "http://127.0.0.1:1/a.png" })).rejects.toThrow(
      "not on the public internet",
    );
  });
});
