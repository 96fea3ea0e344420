import { TRPCError } from "@trpc/server";
import { fileTypeFromBuffer } from "file-type";
import { inImageTurn } from "~/kit/server";

/** The accepted types. SVG is not one of them, because it is a document that can carry scripts. */
export const imageTypes = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"] as const;

/** A decoded image takes four bytes for each pixel, so a file of a few kilobytes can need gigabytes of memory. */
const maxPixels = 50_000_000;

/** How long the work on one image may take. */
const maxSeconds = 20;

/** Loads the image library, which takes memory and a quarter of a second, when there is a first image. */
async function loadSharp() {
  const { default: sharp } = await import("sharp");
  // Each image gets one thread. A cache would not help, because each image is decoded once.
  sharp.concurrency(1);
  sharp.cache(false);
  return sharp;
}

/** Whether a type that was found by the bytes is accepted. */
export const isImageType = (type: string | undefined): type is (typeof imageTypes)[number] =>
  imageTypes.some((accepted) => accepted === type);

/** Nearly every image has its dimensions in this many first bytes. */
const headerSize = 256 * 1024;

/**
 * Refuses an image with too many pixels, by its first bytes, before the rest is read. An image whose dimensions come later
 * in the file is refused when it is decoded.
 * @throws TRPCError `PAYLOAD_TOO_LARGE`
 */
export async function refuseTooManyPixels(image: Blob): Promise<void> {
  const head = await image.slice(0, headerSize).arrayBuffer();
  const { width, height } = await inImageTurn(async () =>
    (await loadSharp())(head, { limitInputPixels: false, failOn: "none" }).metadata(),
  ).catch(() => ({ width: 0, height: 0 }));
  if (width * height <= maxPixels) return;
  const message = `An image may have at most ${maxPixels / 1_000_000} megapixels. This one has ${width} × ${height} pixels. Send a smaller one.`;
  throw new TRPCError({ code: "PAYLOAD_TOO_LARGE", message });
}

/** Makes a WebP of 200 × 200 pixels from the middle of the image, upright. An animation gives its first frame. */
export async function makeThumbnail(image: Blob): Promise<Blob> {
  // sharp would also read SVG and other types that are not accepted.
  const head = await image.slice(0, 4100).arrayBuffer();
  if (!isImageType((await fileTypeFromBuffer(head))?.mime))
    throw refuse("its bytes are not an image of an accepted type");
  try {
    const thumbnail = await inImageTurn(async () =>
      (await loadSharp())(await image.arrayBuffer(), { limitInputPixels: maxPixels, pages: 1, failOn: "error" })
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
