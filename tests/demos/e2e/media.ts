import { expect, type Page } from "@playwright/test";

/** A page that is completely red. */
export const pdf = [
  "%PDF-1.4",
  "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj",
  "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj",
  "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R>>endobj",
  "4 0 obj<</Length 28>>stream\n1 0 0 rg 0 0 300 300 re f   \nendstream endobj",
  "trailer<</Root 1 0 R>>",
].join("\n");

/** Four red seconds. */
export const webm = Buffer.from(
  "GkXfo59ChoEBQveBAULygQRC84EIQoKEd2VibUKHgQJChYECGFOAZwEAAAAAAAP7EU2bdLpNu4tTq4QVSalmU6yBoU27i1OrhBZU" +
    "rmtTrIHGTbuMU6uEElTDZ1OsggEMTbuMU6uEHFO7a1OsggNj7AEAAAAAAABZAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAVSalmoCrXsYMPQkBNgIRM" +
    "YXZmV0GETGF2ZkSJiECvQAAAAAAAFlSua8GuAQAAAAAAADjXgQFzxYgAAAAAAAAAAZyBACK1nIN1bmSIgQCGhVZfVlA4g4EBI+OD" +
    "hB3NZQDgibCBELqBEJqBAhJUw2fRc3POY8CLY8WIAAAAAAAAAAFnyJhFo4dFTkNPREVSRIeLTGF2YyBsaWJ2cHhnyKJFo4hEVVJB" +
    "VElPTkSHlDAwOjAwOjA0LjAwMDAwMDAwMAAAH0O2dUH754EAo72BAACA8AIAnQEqEAAQAABHCIWFiIWEiAICAnWqA/gD+gINTRgA" +
    "/v1u8//jmTcwxP+Obf/xYTwOKMj/8VEAo72BAfSA8AIAnQEqEAAQAABHCIWFiIWEiAICAnWqA/gD+gINTRgA/v1u8//jmTcwxP+O" +
    "bf/xYTwOKMj/8VEAo72BA+iA8AIAnQEqEAAQAABHCIWFiIWEiAICAnWqA/gD+gINTRgA/v1u8//jmTcwxP+Obf/xYTwOKMj/8VEA" +
    "o72BBdyA8AIAnQEqEAAQAABHCIWFiIWEiAICAnWqA/gD+gINTRgA/v1u8//jmTcwxP+Obf/xYTwOKMj/8VEAo72BB9CA8AIAnQEq" +
    "EAAQAABHCIWFiIWEiAICAnWqA/gD+gINTRgA/v1u8//jmTcwxP+Obf/xYTwOKMj/8VEAo72BCcSA8AIAnQEqEAAQAABHCIWFiIWE" +
    "iAICAnWqA/gD+gINTRgA/v1u8//jmTcwxP+Obf/xYTwOKMj/8VEAo72BC7iA8AIAnQEqEAAQAABHCIWFiIWEiAICAnWqA/gD+gIN" +
    "TRgA/v1u8//jmTcwxP+Obf/xYTwOKMj/8VEAo72BDayA8AIAnQEqEAAQAABHCIWFiIWEiAICAnWqA/gD+gINTRgA/v1u8//jmTcw" +
    "xP+Obf/xYTwOKMj/8VEAHFO7a0CSu4+zgQC3iveBAfGCAWLwgQO7kLOCAfS3iveBAfGCAWLwgUK7kLOCA+i3iveBAfGCAWLwgYG7" +
    "kLOCBdy3iveBAfGCAWLwgcC7kLOCB9C3iveBAfGCAWLwgf+7kbOCCcS3i/eBAfGCAWLwggE+u5Gzggu4t4v3gQHxggFi8IIBfbuR" +
    "s4INrLeL94EB8YIBYvCCAbw=",
  "base64",
);

/** Seconds of silence, as 44,100 samples of 16 bits each. */
export function wav(seconds: number): Buffer {
  const rate = 44_100;
  const size = seconds * rate * 2;
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + size, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(size, 40);
  return Buffer.concat([header, Buffer.alloc(size)]);
}

/** Asks repeatedly, because no event can be observed in a document that may not run scripts. */
export async function expectDuration(page: Page, seconds: number): Promise<void> {
  const media = page.locator("video, audio");
  await expect.poll(() => media.evaluate(({ duration }: HTMLMediaElement) => Math.round(duration))).toBe(seconds);
}

export const red = [255, 0, 0, 255];

/** The colour of what is drawn on the page at a point, as red, green, blue and opacity. */
export async function pixel(page: Page, x: number, y: number): Promise<number[] | null> {
  const shot = (await page.screenshot()).toString("base64");
  const probe = await page.context().newPage();
  const color = await probe.evaluate(
    async ([png, x, y]) => {
      const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
      const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
      canvas?.drawImage(image, 0, 0);
      return canvas && [...canvas.getImageData(x, y, 1, 1).data];
    },
    [shot, x, y] as const,
  );
  await probe.close();
  return color;
}
