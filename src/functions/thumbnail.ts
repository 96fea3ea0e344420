import { TRPCError } from "@trpc/server";
import sharp from "sharp";

/** What is accepted as an image. SVG is a document that can carry script, and no image here. */
export const imageTypes = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"] as const;

/** Decoded, an image takes four bytes a pixel, whatever its file is: a few kilobytes can ask for gigabytes. */
const maxPixels = 50_000_000;

/** A 200 × 200 WebP of the middle of the image, upright; of an animation its first frame. */
export async function makeThumbnail(image: ArrayBuffer): Promise<Blob> {
  try {
    const thumbnail = await sharp(image, { limitInputPixels: maxPixels, pages: 1, failOn: "error" })
      .autoOrient()
      .resize(200, 200, { fit: "cover" })
      .toColourspace("srgb")
      .webp()
      .toBuffer();
    return new Blob([new Uint8Array(thumbnail)], { type: "image/webp" });
  } catch (cause) {
    const message = `Cannot make a thumbnail: ${cause instanceof Error ? cause.message : cause}`;
    throw new TRPCError({ code: "BAD_REQUEST", message, cause });
  }
}
