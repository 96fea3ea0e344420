import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { parseArgs } from "../functions/args";
import { quote } from "../log/text";
import { env } from "../process/env";
import { processWide } from "../process/process-wide";
import { newStorageId } from "./file";
import { defaultImageWidths } from "./image-widths";

// Everything that the storage signs: upload tokens, receipts of direct uploads, and file URLs.

/** The tokens that carry what they allow, by purpose. */
interface Tokens {
  "upload-url": UploadToken;
  "direct-upload": Receipt;
}

/** A signature for one purpose is refused for every other. */
type Purpose = keyof Tokens | "file-url" | "image-url";

/** Signs `text` with HMAC-SHA-256 and the first secret of `APP_SECRET`. Returns 43 base64url characters. */
export function sign(purpose: Purpose, text: string): string {
  const [current = ""] = env.APP_SECRET;
  return hmac(keyOf(current, purpose), text);
}

/** Whether any secret of `APP_SECRET` signed `text`. Compares in constant time. */
export function isSignedBy(signature: string, purpose: Purpose, text: string): boolean {
  // The texts are compared, not the bytes they decode to, because base64url has several spellings of the same bytes.
  const given = Buffer.from(signature);
  return env.APP_SECRET.map((secret) => Buffer.from(hmac(keyOf(secret, purpose), text)))
    .map((expected) => expected.length === given.length && timingSafeEqual(expected, given))
    .includes(true);
}

const hmac = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest("base64url");

const keys = new Map<string, Buffer>();

function keyOf(secret: string, purpose: Purpose): Buffer {
  const name = `${purpose} ${secret}`;
  const key = keys.get(name) ?? Buffer.from(hkdfSync("sha256", secret, "", purpose, 32));
  keys.set(name, key);
  return key;
}

/** `<payload as base64url JSON>.<signature>` */
function createToken<P extends keyof Tokens>(purpose: P, payload: Tokens[P]): string {
  const encoded = Buffer.from(JSON.stringify(payload)).toString("base64url");
  return `${encoded}.${sign(purpose, encoded)}`;
}

/** The payload of a token, whether or not it has expired; `null` for a token that this app did not sign. */
function readToken<P extends keyof Tokens>(purpose: P, token: string): Tokens[P] | null {
  const [encoded = "", signature = "", ...rest] = token.split(".");
  if (rest.length > 0 || !isSignedBy(signature, purpose, encoded)) return null;
  return JSON.parse(Buffer.from(encoded, "base64url").toString());
}

/** What an upload URL allows. */
export interface UploadToken {
  /** The id that the file will have: one token makes one file. */
  storageId: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
  /** Bytes. */
  maxSize?: number;
  /** For example `image/png` or `image/*`. */
  contentTypes?: string[];
  /** The owner of the file, as `tokenIdentifier`: the identity that asked for the URL. */
  owner?: string;
}

export interface UploadLimits {
  /** The largest file to accept, in bytes. Default: no limit. */
  maxSize?: number;
  /** The types to accept, for example `["image/*", "application/pdf"]`. Default: all. */
  contentTypes?: string[];
}

/** The limits on texts and lists keep the URL shorter than a server's limit for the head of a request. */
export const uploadLimits = z.object({
  maxSize: z.int().nonnegative().optional(),
  contentTypes: z
    .array(
      z
        .string()
        .max(127)
        .regex(/^[\w!#$&^.+-]+\/([\w!#$&^.+-]+|\*)$/, {
          error: ({ input }) => `Invalid content type ${quote(input)}; write "image/png" or "image/*"`,
        }),
    )
    .min(1)
    .max(50)
    .optional(),
});

const uploadUrlLifetimeMs = 60 * 60 * 1000;

/**
 * Returns a URL that accepts one upload within the next hour.
 * @throws TRPCError `BAD_REQUEST`
 */
export function createUploadUrl(origin: string, limits: UploadLimits = {}, owner?: string): string {
  const token = createToken("upload-url", {
    storageId: newStorageId(),
    expiresAt: Date.now() + uploadUrlLifetimeMs,
    ...parseArgs(uploadLimits, limits),
    owner,
  });
  return `${origin}/api/storage/upload?token=${token}`;
}

export const readUploadToken = (token: string): UploadToken | null => readToken("upload-url", token);

/** What a direct upload was started with. The client keeps it, signed, until it completes the upload. */
export interface Receipt {
  /** What the upload URL allows. The name must stay, because a receipt may be older than the running version. */
  permit: UploadToken;
  blobKey: string;
  /** The store's name for an upload in parts. */
  uploadId?: string;
  /** Bytes. */
  size: number;
  contentType: string | null;
  /** Lower-case hex. */
  sha256?: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export const createReceipt = (receipt: Receipt): string => createToken("direct-upload", receipt);

export const readReceipt = (text: string): Receipt | null => readToken("direct-upload", text);

export interface FileUrlOptions {
  /** Milliseconds that the URL works at least. Default: until the file is deleted. */
  expiresIn?: number;
  /** The browser saves the file under this name instead of showing it. At most 255 characters. */
  downloadAs?: string;
  /**
   * The width of the image that the URL serves, in pixels. A smaller image is served in its own width. Use one of
   * `imageWidths` of `createKit`. The URL works for all of them: a client may change its parameter `width`. Default, when
   * another image option is given: the largest.
   */
  width?: number;
  /** With `width`: the shape of the image, at any width. Default: the image's own shape. */
  height?: number;
  /** With `height`: `cover` fills the shape and crops the rest, `inside` shows the whole image within it. Default: `cover`. */
  fit?: "cover" | "inside";
  /**
   * `auto` is the best format that the browser accepts. `jpeg` is never animated. Default, when another image option is
   * given: `auto`.
   */
  format?: "auto" | "avif" | "webp" | "jpeg";
}

/** In what form a URL serves an image. */
export interface ImageForm<Format extends string = "auto" | "avif" | "webp" | "jpeg"> {
  width: number;
  /** For example `4x3` or `4x3-inside`; empty for the image's own shape. */
  shape: string;
  format: Format;
}

/** What a file URL allows. The URL contains these values as plain parameters with a signature, so that it stays short. */
interface FileToken {
  storageId: string;
  /** Seconds since the epoch. */
  expires?: number;
  download?: string;
  /** Serves an image in this form that is made of the file, instead of the file's own bytes. */
  image?: ImageForm;
}

/** The widths of the images that this process signs URLs for, the smallest first. */
export const imageWidths = processWide("image widths", () => [...defaultImageWidths]);

/** Widths that an app may list. Each is one more image that can be made of every file. */
const maxWidths = 20;

/** Sets the widths of images. Throws when one is not a valid width. */
export function setImageWidths(widths: readonly number[]): void {
  const isWidth = (width: number) => Number.isInteger(width) && width >= 1 && width <= 8192;
  if (widths.length === 0 || widths.length > maxWidths || !widths.every(isWidth)) {
    throw new Error(
      `imageWidths has ${JSON.stringify(widths)}. List from 1 to ${maxWidths} whole numbers of pixels, each from 1 to 8192.`,
    );
  }
  imageWidths.splice(0, imageWidths.length, ...[...new Set(widths)].sort((one, other) => one - other));
}

const imageFormat = z.enum(["auto", "avif", "webp", "jpeg"]);

const fileUrlOptions = z
  .object({
    expiresIn: z.number().positive().max(1e14).optional(),
    downloadAs: z.string().max(255).optional(),
    width: z
      .number()
      .refine((width) => imageWidths.includes(width), {
        error: ({ input }) => `Invalid image width ${String(input)}; the widths are ${imageWidths.join(", ")}`,
      })
      .optional(),
    height: z.int().min(1).max(10_000).optional(),
    fit: z.enum(["cover", "inside"]).optional(),
    format: imageFormat.optional(),
  })
  .refine(({ width, height }) => height === undefined || width !== undefined, { error: "height needs width" })
  .refine(({ height, fit }) => fit === undefined || height !== undefined, { error: "fit needs height" });

/**
 * Returns `/api/storage/<storage id>/<signature>?expires=…&download=…`, always the same string for the same file, expiry and
 * name. The URL of an image has `format`, `shape` and `width` in addition, and its signature does not cover the width. It also has
 * `widths`, when they are not the default.
 * @throws TRPCError `BAD_REQUEST`
 */
export function createFileUrl(origin: string, storageId: string, options: FileUrlOptions = {}): string {
  const { expiresIn, downloadAs, width, height, fit, format } = parseArgs(fileUrlOptions, options);
  const query = new URLSearchParams();
  if (expiresIn !== undefined) query.set("expires", String(roundedExpiry(expiresIn)));
  if (downloadAs !== undefined) query.set("download", downloadAs);
  const isImage = width !== undefined || format !== undefined;
  if (isImage) query.set("format", format ?? "auto");
  // The browser does not know the app's list, and the process that serves the image may not know it either.
  const widths = imageWidths.join();
  if (isImage && widths !== defaultImageWidths.join()) query.set("widths", widths);
  if (width !== undefined && height !== undefined) query.set("shape", shapeOf(width, height, fit));
  const signature = isImage
    ? sign("image-url", signedText(storageId, query, imageParameters))
    : sign("file-url", signedText(storageId, query));
  if (isImage) query.set("width", String(width ?? imageWidths.at(-1)));
  const suffix = query.size > 0 ? `?${query}` : "";
  return `${env.FILES_ORIGIN ?? origin}/api/storage/${storageId}/${signature}${suffix}`;
}

/** `(640, 480)` → `4x3`: URLs that differ only in their width have the same images. */
function shapeOf(width: number, height: number, fit = "cover"): string {
  let [divisor, rest] = [width, height];
  while (rest > 0) [divisor, rest] = [rest, divisor % rest];
  return `${width / divisor}x${height / divisor}${fit === "cover" ? "" : `-${fit}`}`;
}

const filePath = /^\/api\/storage\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/([\w-]{43})$/;

/**
 * Reads a file URL. Returns `"malformed"` when it is not a file URL, `"forged"` when this app did not sign it, and the widths for
 * an image in a width that the URL does not allow.
 */
export function readFileUrl({
  pathname,
  searchParams,
}: URL): FileToken | "malformed" | "forged" | { widths: string[] } {
  const [, storageId, signature] = filePath.exec(pathname) ?? [];
  const expires = searchParams.get("expires");
  if (!storageId || !signature || (expires !== null && !/^\d{1,12}$/.test(expires))) return "malformed";
  const token: FileToken = {
    storageId,
    expires: expires === null ? undefined : Number(expires),
    download: searchParams.get("download") ?? undefined,
  };
  if (isSignedBy(signature, "file-url", signedText(storageId, searchParams))) return token;
  if (!isSignedBy(signature, "image-url", signedText(storageId, searchParams, imageParameters))) return "forged";
  const [width = "", ...rest] = searchParams.getAll("width");
  const widths = (searchParams.get("widths") ?? defaultImageWidths.join()).split(",");
  if (rest.length > 0 || !widths.includes(width)) return { widths };
  const format = imageFormat.parse(searchParams.get("format"));
  return { ...token, image: { width: Number(width), shape: searchParams.get("shape") ?? "", format } };
}

const imageParameters = ["shape", "format", "widths"];

/**
 * The text to sign. It contains every value of a parameter exactly as it is spelled, so that none can be added, repeated or
 * rewritten.
 */
const signedText = (storageId: string, query: URLSearchParams, more: string[] = []) =>
  JSON.stringify([
    storageId,
    ...["expires", "download", ...more]
      // URLs that were made before this parameter existed stay valid.
      .filter((name) => name !== "widths" || query.has(name))
      .map((name) => query.getAll(name)),
  ]);

/**
 * The time in seconds at which a URL expires. It is rounded up by at most a quarter of the lifetime, so that a list that is
 * fetched again has the same URLs and the browser reloads no image.
 */
function roundedExpiry(expiresInMs: number): number {
  const stepSeconds = Math.max(1, Math.floor(expiresInMs / 4000));
  return Math.ceil((Date.now() + expiresInMs) / 1000 / stepSeconds) * stepSeconds;
}
