import { TRPCError } from "@trpc/server";
import { fileTypeFromBuffer } from "file-type";
import sharp from "sharp";
import { createPlaces, limits, processWide } from "~/kit/server";

/** What is accepted as an image. SVG is a document that can carry script, and no image here. */
export const imageTypes = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"] as const;

/** Decoded, an image takes four bytes a pixel, whatever its file is: a few kilobytes can ask for gigabytes. */
const maxPixels = 50_000_000;

/** That the work on one image may take. */
const maxSeconds = 20;

// One thread for an image, and nothing kept: what is decoded here is decoded once.
sharp.concurrency(1);
sharp.cache(false);

/** Threads that decode images are those that read files: some are left for them. */
const inTurn = processWide("images", () => createPlaces(limits.images, limits.imagesWaiting));

/** The type of an image by its first 4,100 bytes, whatever it is called; `null` for anything else. */
export async function imageTypeOf(image: Blob | Uint8Array): Promise<string | null> {
  const head = image instanceof Blob ? await image.slice(0, 4100).arrayBuffer() : image;
  const found = await fileTypeFromBuffer(head);
  return imageTypes.find((type) => type === found?.mime) ?? null;
}

/** Bytes in which the dimensions of nearly every image are. */
const headerSize = 256 * 1024;

/**
 * Refuses an image of more pixels than are decoded here, by its first bytes, before the rest is read. One whose dimensions
 * are further on is refused when it is decoded.
 * @throws TRPCError `PAYLOAD_TOO_LARGE`
 */
export async function refuseTooManyPixels(image: Blob): Promise<void> {
  const head = await image.slice(0, headerSize).arrayBuffer();
  const { width, height } = await inTurn(() =>
    sharp(head, { limitInputPixels: false, failOn: "none" }).metadata(),
  ).catch(() => ({ width: 0, height: 0 }));
  if (width * height <= maxPixels) return;
  const message = `Images have ${maxPixels / 1_000_000} megapixels at most, and this one has ${width} × ${height} pixels. Send a smaller one.`;
  throw new TRPCError({ code: "PAYLOAD_TOO_LARGE", message });
}

/** A 200 × 200 WebP of the middle of the image, upright; of an animation its first frame. */
export async function makeThumbnail(image: Blob): Promise<Blob> {
  // sharp itself would read SVG and more.
  if (!(await imageTypeOf(image))) throw refuse("its bytes are no image of a known type");
  try {
    const thumbnail = await inTurn(async () =>
      sharp(await image.arrayBuffer(), { limitInputPixels: maxPixels, pages: 1, failOn: "error" })
        .autoOrient()
        .resize(200, 200, { fit: "cover" })
        .toColourspace("srgb")
        .webp()
        .timeout({ seconds: maxSeconds })
        .toBuffer(),
    );
    return new Blob([new Uint8Array(thumbnail)], { type: "image/webp" });
  } catch (cause) {
    if (cause instanceof TRPCError) throw cause;
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

const refuse = (reason: string, cause?: unknown) =>
  new TRPCError({ code: "BAD_REQUEST", message: `Cannot make a thumbnail: ${reason}`, cause });
