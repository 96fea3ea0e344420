import { TRPCError } from "@trpc/server";
import { fileTypeFromBuffer } from "file-type";
import sharp from "sharp";

/** What is accepted as an image. SVG is a document that can carry script, and no image here. */
export const imageTypes = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"] as const;

/** Decoded, an image takes four bytes a pixel, whatever its file is: a few kilobytes can ask for gigabytes. */
const maxPixels = 50_000_000;

/** The type of an image by its first bytes, whatever it is called; `null` for anything else. */
export async function imageTypeOf(blob: Blob): Promise<string | null> {
  const found = await fileTypeFromBuffer(await blob.slice(0, 4100).arrayBuffer());
  return imageTypes.find((type) => type === found?.mime) ?? null;
}

/** A 200 × 200 WebP of the middle of the image, upright; of an animation its first frame. */
export async function makeThumbnail(image: Blob): Promise<Blob> {
  // sharp itself would read SVG and more.
  if (!(await imageTypeOf(image))) throw refuse("its bytes are no image of a known type");
  try {
    const thumbnail = await sharp(await image.arrayBuffer(), { limitInputPixels: maxPixels, pages: 1, failOn: "error" })
      .autoOrient()
      .resize(200, 200, { fit: "cover" })
      .toColourspace("srgb")
      .webp()
      .toBuffer();
    return new Blob([new Uint8Array(thumbnail)], { type: "image/webp" });
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

const refuse = (reason: string, cause?: unknown) =>
  new TRPCError({ code: "BAD_REQUEST", message: `Cannot make a thumbnail: ${reason}`, cause });
