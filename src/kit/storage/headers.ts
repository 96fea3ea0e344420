import contentDisposition from "content-disposition";
import { quote } from "../log/text";
import { env } from "../process/env";
import type { FileMetadata } from "./file";
import type { ImageForm } from "./tokens";
import { UploadError } from "./upload-error";

// The headers that describe a file: in the request that uploads it, and in the response that serves it.

const token = String.raw`[\w!#$%&'*+.^|~\x60-]+`;
const quoted = String.raw`"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"`;
/** A media type with its parameters (RFC 9110 §8.3.1). Browsers read `image/png;, text/html` as two types and use the last. */
const mediaType = new RegExp(String.raw`^${token}/${token}(?:[ \t]*;[ \t]*(?:${token}=(?:${token}|${quoted}))?)*$`);

/** The types of other names that browsers, phones and Windows send. */
const aliases: Record<string, string> = {
  "application/x-gzip": "application/gzip",
  "application/x-pdf": "application/pdf",
  "application/x-zip": "application/zip",
  "application/x-zip-compressed": "application/zip",
  "audio/m4a": "audio/mp4",
  "audio/mp3": "audio/mpeg",
  "audio/vnd.wave": "audio/wav",
  "audio/wave": "audio/wav",
  "audio/x-aac": "audio/aac",
  "audio/x-flac": "audio/flac",
  "audio/x-m4a": "audio/mp4",
  "audio/x-mp3": "audio/mpeg",
  "audio/x-mpeg": "audio/mpeg",
  "audio/x-wav": "audio/wav",
  "image/jpg": "image/jpeg",
  "image/pjpeg": "image/jpeg",
  "image/x-bmp": "image/bmp",
  "image/x-ms-bmp": "image/bmp",
  "image/x-png": "image/png",
  "video/x-m4v": "video/mp4",
};

/** Recorders write `video/webm;codecs=vp8,opus` without the quotes that a list needs. */
const bareCodecs = new RegExp(String.raw`(;[ \t]*codecs=)(${token}(?:,[ \t]*${token})+)(?=[ \t]*(?:;|$))`, "i");

/** A semicolon with no parameter after it, or a quoted value, in which a semicolon is text. */
const emptyParameters = new RegExp(String.raw`${quoted}|[ \t]*;(?=[ \t]*(?:;|$))`, "g");

/** The media type to store: its usual name in lower case, and its parameters. `null` when `text` is not one, or is too long. */
export function canonicalType(text: string): string | null {
  const type = text.length <= 255 ? text.replace(/^[ \t]+|[ \t]+$/g, "").replace(bareCodecs, '$1"$2"') : "";
  if (type.length > 255 || !mediaType.test(type)) return null;
  const essence = essenceOf(type);
  const parameters = type.slice(essence.length).replace(emptyParameters, (part) => (part.startsWith('"') ? part : ""));
  return (aliases[essence] ?? essence) + parameters.trimEnd();
}

/** `Image/PNG; charset=x` → `image/png`; `""` without a type. */
export function essenceOf(contentType: string | null): string {
  const [essence = ""] = (contentType ?? "").toLowerCase().split(";");
  return essence.trim();
}

/** The type to store: `null` when the header is absent or empty. */
export function parseContentType(headers: Headers): string | null {
  const value = headers.get("content-type");
  if (!value) return null;
  const type = canonicalType(value);
  if (type !== null) return type;
  throw badHeader("Content-Type", value, 'write a media type, for example "image/png"');
}

/** The announced size in bytes, or `undefined`. */
export function parseContentLength(headers: Headers): number | undefined {
  const value = headers.get("content-length");
  if (value === null) return undefined;
  const size = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(size)) return size;
  throw badHeader("Content-Length", value, "write the number of bytes");
}

/**
 * Returns every SHA-256 that the headers announce for the body, as lower-case hex:
 *
 *     Digest: sha-256=<base64>             (RFC 3230)
 *     Content-Digest: sha-256=:<base64>:   (RFC 9530; Repr-Digest too)
 *
 * Ignores other algorithms. Throws for a malformed header, because its sender would believe that the digest was verified.
 */
export function parseDigests(headers: Headers): string[] {
  const structured = /^:([^:]*):$/;
  return [
    ...parseDigest(headers, "Digest", /^(.*)$/),
    ...parseDigest(headers, "Content-Digest", structured),
    ...parseDigest(headers, "Repr-Digest", structured),
  ];
}

function parseDigest(headers: Headers, name: string, form: RegExp): string[] {
  const value = headers.get(name);
  if (value === null) return [];
  const members = value.split(",").filter((member) => member.trim() !== "");
  if (members.length === 0) throw badHeader(name, value, "write algorithm=value");
  return members.flatMap((member) => {
    const [, algorithm, encoded = ""] = /^\s*([\w!#$%&'*+.^|~`-]+)\s*=\s*(\S+)\s*$/.exec(member) ?? [];
    if (!algorithm) throw badHeader(name, value, "write algorithm=value");
    if (algorithm.toLowerCase() !== "sha-256") return [];
    const [, base64 = ""] = form.exec(encoded) ?? [];
    const hex = sha256OfBase64(base64);
    if (hex === null) throw badHeader(name, value, "write the 32 bytes of the SHA-256 as base64");
    return [hex];
  });
}

/**
 * Decodes a SHA-256 from base64 to lower-case hex. Returns `null` for anything else, and for any second spelling: Buffer skips
 * characters that are not base64, and ignores padding.
 */
export function sha256OfBase64(base64: string): string | null {
  const bytes = Buffer.from(base64, "base64");
  return bytes.length === 32 && bytes.toString("base64") === base64 ? bytes.toString("hex") : null;
}

function badHeader(name: string, value: string, advice: string): UploadError {
  return new UploadError("BadHeader", `Cannot parse ${name} ${quote(value)}: ${advice}`);
}

/** The longest time that caches keep a file. The file never changes, and a cache may drop it earlier. */
const maxAgeSeconds = 30 * 24 * 60 * 60;

/** A file that is opened by its URL is a document of the app's origin. This policy lets it show itself and nothing else. */
export const passivePolicy = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox";

/** Any site may show a file of which it has the URL. */
export const corsHeaders = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers":
    "Digest, Repr-Digest, ETag, Content-Range, Accept-Ranges, Content-Disposition, Content-Length",
  "Cross-Origin-Resource-Policy": "cross-origin",
};

/** How a file is served. */
export interface Serving {
  /** When its URL expires, in seconds since the epoch. */
  expires?: number;
  /** The browser saves the file under this name. */
  download?: string;
  /** Default: caches keep the file for as long as its URL works. */
  cacheControl?: string;
  /** Serves an image in this form that is made of the file, instead of the file's own bytes. */
  image?: ImageForm;
}

/** The headers of 200, 206 and 304 that caches use. */
export function cacheHeaders(file: FileMetadata, serving: Serving): Headers {
  return new Headers({
    "Cache-Control": serving.cacheControl ?? cacheControl(serving),
    // Node.js would write a time that may be a second old, and `Last-Modified` must not be later.
    Date: new Date().toUTCString(),
    ETag: etagOf(file),
    "Last-Modified": new Date(lastModifiedOf(file)).toUTCString(),
    ...(serving.image?.format === "auto" && { Vary: "Accept" }),
  });
}

/** The headers of 200 and 206. `Digest` and `Repr-Digest` are of the whole file in a 206 too. */
export function fileHeaders(file: FileMetadata, serving: Serving): Headers {
  const digest = Buffer.from(file.sha256, "hex").toString("base64");
  const headers = cacheHeaders(file, serving);
  headers.set("Accept-Ranges", "bytes");
  headers.set("Content-Disposition", dispositionOf(file.contentType, serving.download));
  headers.set("Content-Security-Policy", passivePolicy);
  if (file.contentType !== null) headers.set("Content-Type", file.contentType);
  headers.set("Digest", `sha-256=${digest}`);
  headers.set("Repr-Digest", `sha-256=:${digest}:`);
  headers.set("X-Content-Type-Options", "nosniff");
  return headers;
}

/**
 * The time of `Last-Modified` in milliseconds since the epoch, cut to whole seconds. It is never in the future, although the
 * database's clock may be ahead (RFC 9110 §8.8.2.1).
 */
export const lastModifiedOf = ({ _creationTime }: FileMetadata) =>
  Math.floor(Math.min(_creationTime, Date.now()) / 1000) * 1000;

export const etagOf = (file: FileMetadata) => `"${file.sha256}"`;

/** Proxies must not compress: a range of compressed bytes would not be a range of the file. */
function cacheControl({ expires }: Serving): string {
  const leftSeconds = expires === undefined ? maxAgeSeconds : Math.max(0, expires - Math.ceil(Date.now() / 1000));
  return `${env.STORAGE_CACHE}, max-age=${Math.min(maxAgeSeconds, leftSeconds)}, immutable, no-transform`;
}

/** Types that browsers show without running anything in them. All others are downloaded. */
const passive =
  /^(image\/(png|jpeg|gif|webp|avif|bmp|x-icon|vnd\.microsoft\.icon)|audio\/[\w.+-]+|video\/[\w.+-]+|application\/pdf|text\/plain)$/;

/**
 * The `Content-Disposition` (RFC 6266) of a file. It is a download when the file has a name to save it under, or is of a type
 * that a browser could run.
 */
export function dispositionOf(contentType: string | null, download?: string): string {
  if (download === undefined) return passive.test(essenceOf(contentType)) ? "inline" : "attachment";
  const name = fileName(download);
  return contentDisposition(name, { fallback: name?.replace(/[^\x20-\x7e]/gu, "_") });
}

/** The last part of a path, without characters that file systems refuse. `undefined` when nothing is left. */
function fileName(text: string): string | undefined {
  const last = text.split(/[\\/]/).filter(Boolean).at(-1) ?? "";
  // Characters that change the direction of text could hide the real extension of a name.
  const name = last.replace(/\p{Cc}/gu, "_").replace(/\p{Bidi_Control}/gu, "");
  return /^[. ]*$/.test(name) ? undefined : name;
}
