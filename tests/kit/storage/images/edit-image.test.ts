import { describe, expect, test } from "vitest";
import { editImage, refuseTooManyPixels } from "~/kit/server";
import { animation, canvas, claiming, corpus, look } from "./corpus";

const square = (bytes: BlobPart) =>
  editImage(new Blob([bytes]), (image) => image.resize(200, 200, { fit: "cover" }).webp());

describe("editImage", () => {
  test.each(Object.entries(corpus))("gives %s upright, in its colours", async (_, create) => {
    expect(await look(await square(await create()))).toMatchObject({
      width: 200,
      height: 200,
      left: "red",
      right: "blue",
    });
  });

  test.each(["gif", "webp"] as const)("gives the first frame of an animated %s", async (format) => {
    expect(await look(await square(await animation(format)))).toMatchObject({ left: "red", right: "red" });
  });

  test("refuses more pixels than the limit, without the memory for them", async () => {
    const before = process.memoryUsage().rss;
    const real = await canvas(8000, 8000).png({ compressionLevel: 9 }).toBuffer();
    for (const bytes of [await claiming(30_000, 30_000), new Uint8Array(real)]) {
      await expect(square(bytes)).rejects.toMatchObject({
        code: "BAD_REQUEST",
        message: expect.stringContaining("exceeds pixel limit"),
      });
      await expect(refuseTooManyPixels(new Blob([bytes]))).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
  });

  test.each([
    ["SVG", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
    ["HTML", "<html>"],
    ["nothing", ""],
  ])("refuses %s", async (_, text) => {
    await expect(square(text)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("refuses a broken PNG", async () => {
    await expect(square(Buffer.from("\x89PNG\r\n\x1a\n broken", "latin1"))).rejects.toMatchObject({
      code: "BAD_REQUEST",
    });
  });
});
