import { z } from "zod";
import { pool, prisma } from "../database/database";
import { DatabaseUnavailable, retryAfter } from "../database/errors";
import { parseArgs } from "../functions/args";
import { filesUrlOf } from "../http/files-host";
import { bytesResponse } from "../http/node-adapter";
import { env } from "../process/env";
import { blobs } from "./blobs";
import type { ByteRange } from "./drivers/driver";
import { type FileMetadata, type FileRow, fileColumns, parseStorageId, toMetadata } from "./file";
import { cacheHeaders, corsHeaders, dispositionOf, etagOf, fileHeaders, lastModifiedOf, type Serving } from "./headers";
import { forgetVariant, type VariantRefusal } from "./ownership";
import { readFileUrl } from "./tokens";
import { findImage, ImagesBusy, refusals } from "./variants";

const preflight = {
  ...corsHeaders,
  "Access-Control-Allow-Methods": "GET, HEAD",
  "Access-Control-Allow-Headers": "Range, If-Range, If-None-Match, If-Modified-Since, If-Match, If-Unmodified-Since",
  "Access-Control-Max-Age": "86400",
};

/** `GET` and `HEAD /api/storage/<storage id>/<signature>`: answers the bytes of a file. */
export async function serve(request: Request): Promise<Response> {
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: preflight });
  const response = await respond(request).catch((error) => {
    if (!(error instanceof ImagesBusy)) console.error("Could not serve a file:", error);
    if (error instanceof DatabaseUnavailable || error instanceof ImagesBusy) {
      return refuse(503, "StorageUnavailable", error.message, { "Retry-After": String(retryAfter) });
    }
    return refuse(500, "InternalServerError", "The file could not be read; try again");
  });
  for (const [name, value] of Object.entries(corsHeaders)) response.headers.set(name, value);
  return request.method === "HEAD" ? new Response(null, response) : response;
}

async function respond(request: Request): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return refuse(405, "MethodNotAllowed", `Cannot ${request.method} a file URL`, { Allow: "GET, HEAD, OPTIONS" });
  }
  const token = readFileUrl(new URL(request.url));
  if (token === "malformed") {
    return refuse(400, "InvalidStoragePath", "This is not a file URL; use one that getUrl returns");
  }
  if (token === "forged") return notFound();
  const moved = filesUrlOf(request);
  if (moved) return new Response(null, { status: 307, headers: { "Cache-Control": "no-store", Location: moved } });
  if ("widths" in token) {
    return refuse(400, "InvalidImageWidth", `The width of this image must be one of ${token.widths.join(", ")}`);
  }
  if (token.expires !== undefined && token.expires * 1000 <= Date.now()) {
    return refuse(410, "FileUrlExpired", "The file URL expired; ask for a new one");
  }
  return respondWithFile(request, token.storageId, token);
}

export interface ServeOptions {
  /** The browser saves the file under this name instead of showing it. At most 255 characters. */
  downloadAs?: string;
  /**
   * The `Cache-Control` of the response. Default: `private, no-cache`, so that a browser keeps the file and asks each time
   * whether it may still show it. `no-transform` is added, because a proxy must not compress a range.
   */
  cacheControl?: string;
}

const serveOptions = z.object({
  downloadAs: z.string().max(255).optional(),
  // A header cannot hold other characters.
  cacheControl: z
    .string()
    .regex(/^[\t\x20-\x7e]+$/)
    .default("private, no-cache"),
});

/**
 * The responses of `serveFile`. Their length is that of the file: it is known, and the limit of the route does not apply.
 */
export const servedFiles = new WeakSet<Response>();

/** `ctx.storage.serve`: see `StorageActionWriter`. */
export async function serveFile(request: Request, storageId: string, options: ServeOptions = {}): Promise<Response> {
  const id = parseStorageId(storageId);
  const { downloadAs, cacheControl } = parseArgs(serveOptions, options);
  const complete = /\bno-transform\b/i.test(cacheControl) ? cacheControl : `${cacheControl}, no-transform`;
  const response = await respondWithFile(request, id, { download: downloadAs, cacheControl: complete });
  servedFiles.add(response);
  return response;
}

async function respondWithFile(
  request: Request,
  storageId: string,
  serving: Serving,
  isSecondTry = false,
): Promise<Response> {
  const { image } = serving;
  const found: Found | { refusal: VariantRefusal } | null = image
    ? await findImage(storageId, image, request.headers.get("accept"))
    : await findFile(storageId);
  if (!found || ("file" in found && found.file.held)) return notFound();
  if ("refusal" in found) return refuse(422, found.refusal, refusals[found.refusal]);
  const { file, blobKey } = found;
  const validators = { etag: etagOf(file), lastModified: lastModifiedOf(file) };

  const isHead = request.method === "HEAD";
  // An HTTP action may answer other methods with a file. Then the conditions are not about the file.
  const isRead = isHead || request.method === "GET";
  const precondition = isRead ? evaluatePreconditions(request.headers, validators) : 200;
  if (precondition === 304) return new Response(null, { status: 304, headers: cacheHeaders(file, serving) });
  if (precondition === 412) {
    return refuse(412, "PreconditionFailed", "The file is not the one that the request asks for");
  }

  // Range is defined only for GET (RFC 9110 §14.2).
  const asksRange = request.method === "GET" && allowsRange(request.headers, validators);
  const range = asksRange ? parseRange(request.headers.get("range"), file.size) : null;
  if (range === "unsatisfiable") {
    const message = `Cannot serve ${request.headers.get("range")}: the file has ${file.size} bytes`;
    return refuse(416, "RangeNotSatisfiable", message, { "Content-Range": `bytes */${file.size}` });
  }
  const headers = fileHeaders(file, serving);
  headers.set("Content-Length", String(range ? range.end - range.start + 1 : file.size));
  if (range) headers.set("Content-Range", `bytes ${range.start}-${range.end}/${file.size}`);
  // HEAD looks for the blob on a disk, which costs next to nothing. A cloud store would take as long as for a GET.
  if (isHead && (!blobs.isLocal || (await blobs.head(blobKey)))) return new Response(null, { headers });

  const redirect = isHead ? null : await redirectToStore(file, blobKey, serving);
  if (redirect) return redirect;
  const isSmall = !isHead && !range && file.size <= atOnceBytes;
  const bytes = isSmall && (await blobs.getWhole?.(blobKey, file.size));
  if (bytes) return bytesResponse(bytes, { headers });
  const body = isHead ? null : await blobs.get(blobKey, range ?? undefined);
  if (body) return new Response(body, { status: range ? 206 : 200, headers });
  if (found.isVariant && !isSecondTry) {
    await forgetVariant(prisma, blobKey);
    return respondWithFile(request, storageId, serving, true);
  }
  // Either the file was deleted since it was looked up, or the store has lost the blob.
  if (!(await findFile(storageId))) return notFound();
  throw new Error(`Blob ${blobKey} of file ${storageId} is not in the store`);
}

/** Files of up to this many bytes are read and sent at once. */
const atOnceBytes = 64 * 1024;

interface Found {
  /** The metadata of the bytes. An image that was made of the file has its own metadata. */
  file: FileMetadata;
  blobKey: string;
  isVariant?: boolean;
}

const notFound = () => refuse(404, "FileNotFound", "There is no such file; it may have been deleted");

function refuse(status: number, code: string, message: string, headers: Record<string, string> = {}): Response {
  return Response.json({ code, message }, { status, headers: { "Cache-Control": "no-store", ...headers } });
}

/** The values that the headers of a conditional request are compared with. */
interface Validators {
  /** A strong entity tag, quotes included. */
  etag: string;
  /** Whole seconds, as milliseconds since the epoch. */
  lastModified: number;
}

/** Returns `200` when the request is to be answered as if it had no conditions. The order is that of RFC 9110 §13.2.2. */
export function evaluatePreconditions(headers: Headers, { etag, lastModified }: Validators): 200 | 304 | 412 {
  const ifMatch = headers.get("if-match");
  const ifUnmodifiedSince = parseHttpDate(headers.get("if-unmodified-since") ?? "");
  if (ifMatch !== null) {
    if (!matches(ifMatch, etag, "strong")) return 412;
  } else if (ifUnmodifiedSince !== null && lastModified > ifUnmodifiedSince) {
    return 412;
  }

  const ifNoneMatch = headers.get("if-none-match");
  const ifModifiedSince = parseHttpDate(headers.get("if-modified-since") ?? "");
  if (ifNoneMatch !== null) {
    if (matches(ifNoneMatch, etag, "weak")) return 304;
  } else if (ifModifiedSince !== null && lastModified <= ifModifiedSince) {
    return 304;
  }
  return 200;
}

/** Whether to heed `Range`: `If-Range` must be absent or name exactly this file (RFC 9110 §13.1.5). */
export function allowsRange(headers: Headers, { etag, lastModified }: Validators): boolean {
  const ifRange = headers.get("if-range");
  return ifRange === null || ifRange === etag || parseHttpDate(ifRange) === lastModified;
}

const entityTag = String.raw`(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"`;
const entityTags = new RegExp(String.raw`^[ \t,]*(?:${entityTag}[ \t]*(?:,[ \t,]*|$))*$`);

/** Whether the header names this entity tag. A malformed list matches nothing. */
function matches(header: string, etag: string, comparison: "strong" | "weak"): boolean {
  if (header === "*") return true;
  const tags = (entityTags.test(header) && header.match(new RegExp(entityTag, "g"))) || [];
  return tags.some((tag) => tag === etag || (comparison === "weak" && tag === `W/${etag}`));
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const month = `(?<month>${months.join("|")})`;
const time = String.raw`(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)`;
const forms = [
  new RegExp(String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\d\d) ${month} (?<year>\d{4}) ${time} GMT$`),
  new RegExp(String.raw`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\d\d)-${month}-(?<year>\d\d) ${time} GMT$`),
  new RegExp(String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${month} (?<day>[ 1-9]\d) ${time} (?<year>\d{4})$`),
];

/** Parses the three forms of RFC 9110 §5.6.7 to milliseconds since the epoch. Returns `null` for anything else. */
export function parseHttpDate(text: string): number | null {
  const fields = forms.map((form) => form.exec(text)?.groups).find(Boolean);
  if (!fields) return null;
  const day = Number(fields.day);
  const hour = Number(fields.hour);
  const minute = Number(fields.minute);
  const second = Number(fields.second);
  const date = (year: number) => Date.UTC(year, months.indexOf(fields.month ?? ""), day, hour, minute, second);

  const year = fields.year?.length === 2 ? fullYear(Number(fields.year), date) : Number(fields.year);
  // For 30 February, `Date.UTC` would return a day in March.
  const hasDay = day > 0 && new Date(Date.UTC(year, months.indexOf(fields.month ?? ""), day)).getUTCDate() === day;
  // The RFC allows leap seconds.
  return hasDay && hour < 24 && minute < 60 && second <= 60 ? date(year) : null;
}

/** A year of two digits is in this century, or in the last one if it would be more than 50 years ahead. */
function fullYear(digits: number, date: (year: number) => number): number {
  const now = new Date();
  const year = Math.floor(now.getUTCFullYear() / 100) * 100 + digits;
  const horizon = new Date(now).setUTCFullYear(now.getUTCFullYear() + 50);
  return date(year) > horizon ? year - 100 : year;
}

/** A list of one range. RFC 9110 §5.6.1.2 allows empty members in lists. */
const single = /^bytes=[ \t,]*(\d*)-(\d*)[ \t,]*$/i;

/**
 * Parses a `Range` header for a file of `size` bytes (RFC 9110 §14.2). Returns one range, `"unsatisfiable"`, or `null` for the
 * whole file, which is also the result for a malformed header, for another unit and for several ranges.
 *
 *     bytes=0-499     → { start: 0, end: 499 }
 *     bytes=-500      → the last 500
 *     bytes=500-      → from 500 on
 *     bytes=9999999-  → "unsatisfiable"
 *     bytes=9-1, items=0-1, bytes=0-1,5-6 → null
 */
export function parseRange(header: string | null, size: number): ByteRange | "unsatisfiable" | null {
  const [, first, last] = single.exec(header ?? "") ?? [];
  // An empty file has no ranges. Some clients always ask for a range, and get the whole file.
  if (size === 0 || first === undefined || last === undefined || first + last === "") return null;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return null;
  if (start >= size) return "unsatisfiable";
  return { start, end: last === "" ? size - 1 : Math.min(Number(last), size - 1) };
}

/** How long the store's URL works. A player uses it for further ranges, even after the file was deleted. */
const redirectLifetimeMs = 60 * 60 * 1000;

/** Redirects the download of a large file to the store. Returns `null` when the app serves the file itself. */
async function redirectToStore(file: FileMetadata, blobKey: string, { expires: last, download }: Serving) {
  if (env.STORAGE_REDIRECT_ABOVE === undefined || file.size < env.STORAGE_REDIRECT_ABOVE) return null;
  const lastMs = last === undefined ? Number.POSITIVE_INFINITY : last * 1000;
  const expires = new Date(Math.min(lastMs, Date.now() + redirectLifetimeMs));
  const { contentType } = file;
  const disposition = dispositionOf(contentType, download);
  const cacheControl = `private, max-age=${redirectLifetimeMs / 1000}, immutable, no-transform`;
  const url = await blobs.signUrl?.(blobKey, { contentType, disposition, cacheControl }, expires);
  if (!url) return null;
  // Caches must not keep the redirect: after the file is deleted, the next request must get a 404.
  return new Response(null, { status: 307, headers: { "Cache-Control": "no-store", Location: url } });
}

/**
 * Returns a file and the key of its blob, or `null`. It does not use Prisma, which would take a quarter of the time that serving
 * a small file takes.
 */
export async function findFile(id: string): Promise<{ file: FileMetadata; blobKey: string } | null> {
  const [row] = await pool.sql<FileRow & { blobKey: string }>(
    `SELECT ${fileColumns}, "blobKey" FROM "_storage" WHERE "_id" = $1`,
    [id],
  );
  return row ? { file: toMetadata(row), blobKey: row.blobKey } : null;
}
