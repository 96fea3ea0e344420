import { TRPCError } from "@trpc/server";
import { fileTypeFromBuffer } from "file-type";
import type { Sharp, SharpOptions } from "sharp";
import { rgbaToThumbHash } from "thumbhash";
import { limits } from "../process/limits";
import { createPlaces } from "../process/places";
import { processWide } from "../process/process-wide";
import type { ImageMetadata } from "./file";
import type { VariantKey, VariantRefusal } from "./ownership";

// Decodes, describes and changes images. sharp is loaded when the first image is decoded, and not before.

/**
 * Runs work that decodes an image, at most `limits.images` at once in a process. Images are decoded by the threads that also
 * read files, and the limit leaves some of these threads for files.
 *
 * @throws TRPCError `TOO_MANY_REQUESTS` when `limits.imagesWaiting` others wait
 * @example
 * const { width } = await inImageTurn(() => sharp(bytes).metadata());
 */
export const inImageTurn = processWide("images", () => createPlaces(limits.images, limits.imagesWaiting));

/** How long the work on one image may take. */
const maxSeconds = 20;

/** The longest side of a WebP image, in pixels. AVIF and JPEG allow longer sides. */
const maxSide = 16_383;

/** The bytes are not an image, or cannot be decoded within the limits. */
export class ImageRefused extends Error {
  override name = "ImageRefused";
  readonly code: VariantRefusal;

  constructor(code: VariantRefusal, cause?: unknown) {
    super(`Cannot decode the image: ${code}`, { cause });
    this.code = code;
  }
}

async function loadSharp() {
  const { default: sharp } = await import("sharp");
  // Each image gets one thread. A cache would not help, because each image is decoded once.
  sharp.concurrency(1);
  sharp.cache(false);
  return sharp;
}

/** The types of images that are decoded. SVG is not one of them, because it is a document that can carry scripts. */
export const imageTypes = ["image/jpeg", "image/png", "image/apng", "image/gif", "image/webp", "image/avif"];

/** Whether images of this type, for example the `detectedType` of a file, can be decoded. */
export const isImageType = (type: string | null | undefined): type is string =>
  typeof type === "string" && imageTypes.includes(type);

/** Nearly every image has its dimensions in this many first bytes. */
const headBytes = 256 * 1024;

/**
 * Refuses an image of more than `limits.imagePixels` by its first bytes, before the rest is read. An image whose dimensions
 * come later in the file is refused when it is decoded.
 *
 * @throws TRPCError `PAYLOAD_TOO_LARGE`
 * @example
 * await refuseTooManyPixels(blob);
 */
export async function refuseTooManyPixels(image: Blob): Promise<void> {
  const head = await image.slice(0, headBytes).arrayBuffer();
  const { width, height } = await inImageTurn(async () =>
    (await loadSharp())(head, { limitInputPixels: false, failOn: "none" }).metadata(),
  ).catch(() => ({ width: 0, height: 0 }));
  if (width * height <= limits.imagePixels) return;
  const most = limits.imagePixels / 1_000_000;
  const message = `An image may have at most ${most} megapixels. This one has ${width} × ${height} pixels. Send a smaller one.`;
  throw new TRPCError({ code: "PAYLOAD_TOO_LARGE", message });
}

/**
 * Changes an image with sharp. `edit` receives the image upright and in sRGB, or the first frame of an animation. The work
 * waits for its turn, because decoding takes much memory, and fails after 20 seconds.
 *
 * @throws TRPCError `PAYLOAD_TOO_LARGE`, `TOO_MANY_REQUESTS`, or `BAD_REQUEST` when the bytes cannot be decoded
 * @example
 * const bytes = await editImage(blob, (image) => image.resize(200, 200, { fit: "cover" }).webp());
 */
export async function editImage(image: Blob, edit: (image: Sharp) => Sharp): Promise<Uint8Array<ArrayBuffer>> {
  if (image.size > limits.imageBytes) {
    const message = `An image may have at most ${limits.imageBytes} bytes. Send a smaller one.`;
    throw new TRPCError({ code: "PAYLOAD_TOO_LARGE", message });
  }
  return inImageTurn(async () => {
    const bytes = Buffer.from(await image.arrayBuffer());
    await typeOf(bytes);
    const sharp = await loadSharp();
    const opened = sharp(bytes, { limitInputPixels: limits.imagePixels, pages: 1, failOn: "error" });
    const upright = opened.autoOrient().toColourspace("srgb").timeout({ seconds: maxSeconds });
    return new Uint8Array(await edit(upright).toBuffer());
  }).catch((cause) => {
    if (cause instanceof TRPCError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TRPCError({ code: "BAD_REQUEST", message: `Cannot decode the image: ${reason}`, cause });
  });
}

interface Decodable {
  /** Opens the bytes for another pass. */
  open(options?: SharpOptions): Sharp;
  /** Pixels of one frame, upright. */
  width: number;
  height: number;
  frames: number;
  hasAlpha: boolean;
}

/** The type of an image, by its bytes. @throws ImageRefused */
async function typeOf(bytes: Buffer): Promise<string> {
  const type = (await fileTypeFromBuffer(bytes))?.mime;
  if (!isImageType(type)) throw new ImageRefused("NotAnImage");
  return type;
}

/** Reads what the head of an image says. @throws ImageRefused */
async function inspect(bytes: Buffer, type: string): Promise<Decodable> {
  const sharp = await loadSharp();
  const mayMove = type === "image/gif" || type === "image/webp";
  const open = (options: SharpOptions = {}) =>
    sharp(bytes, { failOn: "error", limitInputPixels: limits.imagePixels, animated: mayMove, ...options });
  const metadata = await open({ limitInputPixels: false })
    .metadata()
    .catch((cause) => {
      throw new ImageRefused("ImageUnreadable", cause);
    });
  const frames = mayMove ? (metadata.pages ?? 1) : 1;
  const frameHeight = metadata.pageHeight ?? metadata.height;
  if (metadata.width * frameHeight * frames > limits.imagePixels) throw new ImageRefused("ImageTooLarge");
  const isTurned = frames === 1 && (metadata.orientation ?? 1) >= 5;
  return {
    open,
    width: isTurned ? frameHeight : metadata.width,
    height: isTurned ? metadata.width : frameHeight,
    frames,
    hasAlpha: metadata.hasAlpha,
  };
}

/** Whether this is an APNG or an animated AVIF. sharp reads only their first frame, or nothing. */
const isForeignAnimation = (bytes: Buffer, type: string) =>
  type === "image/apng" || (type === "image/avif" && hasBrand(bytes, "avis"));

/** Whether the first box of an ISO media file names this brand. */
function hasBrand(bytes: Buffer, brand: string): boolean {
  const end = Math.min(bytes.readUInt32BE(0), 256);
  for (let at = 8; at + 4 <= end; at += 4) if (at !== 12 && bytes.toString("latin1", at, at + 4) === brand) return true;
  return false;
}

/**
 * Makes an image in another size and format: upright, in sRGB, without metadata, and never larger than the original. Animations
 * stay animated, except as JPEG. Returns `"original"` for animations that cannot be written.
 *
 * @throws ImageRefused
 */
export async function makeImage(
  bytes: Buffer,
  form: Pick<VariantKey, "width" | "shape" | "format">,
): Promise<{ data: Buffer; contentType: string } | "original"> {
  const type = await typeOf(bytes);
  if (isForeignAnimation(bytes, type)) return "original";
  const image = await inspect(bytes, type);
  const moves = image.frames > 1 && form.format !== "jpeg";
  const size = sizeOf(image, form);
  const opened = image.open(moves ? {} : { animated: false });
  // An animation cannot be turned, and has no orientation.
  const resized = (image.frames > 1 ? opened : opened.autoOrient())
    .resize({ ...size, fit: size.isCropped ? "cover" : "fill" })
    .toColourspace("srgb")
    .timeout({ seconds: maxSeconds });
  const { written, contentType } = write(resized, form.format, moves, image.hasAlpha);
  try {
    return { data: await written.toBuffer(), contentType };
  } catch (cause) {
    const isTimeout = cause instanceof Error && cause.message.startsWith("timeout");
    throw new ImageRefused(isTimeout ? "ImageTooSlow" : "ImageUnreadable", cause);
  }
}

/** The size of the result in pixels. */
function sizeOf(image: Pick<Decodable, "width" | "height">, { width, shape }: Pick<VariantKey, "width" | "shape">) {
  const [, across, down, inside] = /^(\d+)x(\d+)(-inside)?$/.exec(shape) ?? [];
  const height = across && down ? (width * Number(down)) / Number(across) : Number.POSITIVE_INFINITY;
  const pixels = (value: number) => Math.min(maxSide, Math.max(1, Math.round(value)));
  const byWidth = image.width / width;
  const byHeight = image.height / height;
  if (across && !inside) {
    const shrink = Math.min(1, byWidth, byHeight);
    return { width: pixels(width * shrink), height: pixels(height * shrink), isCropped: true };
  }
  const scale = 1 / Math.max(1, byWidth, byHeight, image.width / maxSide, image.height / maxSide);
  return { width: pixels(image.width * scale), height: pixels(image.height * scale), isCropped: false };
}

function write(image: Sharp, format: VariantKey["format"], moves: boolean, hasAlpha: boolean) {
  if (format === "avif" && !moves)
    return { written: image.avif({ quality: 55, effort: 3 }), contentType: "image/avif" };
  if (format === "avif" || format === "webp") return { written: image.webp(), contentType: "image/webp" };
  if (moves) return { written: image.gif(), contentType: "image/gif" };
  if (format === "fallback" && hasAlpha) return { written: image.png(), contentType: "image/png" };
  return { written: image.flatten({ background: "white" }).jpeg({ mozjpeg: true }), contentType: "image/jpeg" };
}

/** The longest side of the picture that a placeholder is computed from. The format has no more detail. */
const placeholderSide = 100;

/**
 * Reads the dimensions of an image, and makes its placeholder. There is no placeholder when only the head of the image is
 * given.
 *
 * @throws ImageRefused
 */
export async function readImageMetadata(bytes: Buffer, { isHead = false } = {}): Promise<ImageMetadata> {
  const type = await typeOf(bytes);
  const image = await inspect(bytes, type);
  const { width, height, frames: pages } = image;
  const described = { width, height, animated: pages > 1 || isForeignAnimation(bytes, type), pages };
  if (isHead) return described;
  const opened = image.open({ animated: false });
  const { data, info } = await (pages > 1 ? opened : opened.autoOrient())
    .resize(placeholderSide, placeholderSide, { fit: "inside", withoutEnlargement: true })
    .toColourspace("srgb")
    .ensureAlpha()
    .raw()
    .timeout({ seconds: maxSeconds })
    .toBuffer({ resolveWithObject: true })
    .catch((cause) => {
      throw new ImageRefused("ImageUnreadable", cause);
    });
  return { ...described, thumbhash: Buffer.from(rgbaToThumbHash(info.width, info.height, data)).toString("base64") };
}
