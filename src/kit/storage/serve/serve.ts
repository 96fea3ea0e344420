import { pool } from "../../database/database";
import { DatabaseUnavailable } from "../../database/errors";
import { env } from "../../process/env";
import { blobs } from "../driver";
import type { ByteRange } from "../drivers/driver";
import { type FileMetadata, toMetadata } from "../file-metadata";
import { type FilePermit, readFileUrl } from "../file-url";
import { dispositionOf } from "./disposition";
import { cacheHeaders, corsHeaders, etagOf, fileHeaders, lastModifiedOf } from "./file-headers";

const preflight = {
  ...corsHeaders,
  "Access-Control-Allow-Methods": "GET, HEAD",
  "Access-Control-Allow-Headers": "Range, If-Range, If-None-Match, If-Modified-Since, If-Match, If-Unmodified-Since",
  "Access-Control-Max-Age": "86400",
};

/** `GET`, `HEAD /api/storage/<storage id>/<signature>`: the bytes of a file. */
export async function serve(request: Request): Promise<Response> {
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: preflight });
  const response = await respond(request).catch((error) => {
    console.error("Could not serve a file:", error);
    if (error instanceof DatabaseUnavailable)
      return refuse(503, "StorageUnavailable", error.message, { "Retry-After": "1" });
    return refuse(500, "InternalServerError", "The file could not be read; try again");
  });
  return request.method === "HEAD" ? new Response(null, response) : response;
}

async function respond(request: Request): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return refuse(405, "MethodNotAllowed", `Cannot ${request.method} a file URL`, { Allow: "GET, HEAD, OPTIONS" });
  }
  const permit = readFileUrl(new URL(request.url));
  if (permit === "malformed") {
    return refuse(400, "InvalidStoragePath", "This is not a file URL; use one that getUrl returns");
  }
  if (permit === "forged") return notFound();
  if (permit.expires !== undefined && permit.expires * 1000 <= Date.now()) {
    return refuse(410, "FileUrlExpired", "The file URL expired; ask for a new one");
  }
  return respondWithFile(request, permit);
}

async function respondWithFile(request: Request, permit: FilePermit): Promise<Response> {
  const found = await findFile(permit.storageId);
  if (!found) return notFound();
  const { file, blobKey } = found;
  const validators = { etag: etagOf(file), lastModified: lastModifiedOf(file) };

  const precondition = evaluatePreconditions(request.headers, validators);
  if (precondition === 304) return new Response(null, { status: 304, headers: cacheHeaders(file, permit) });
  if (precondition === 412) {
    return refuse(412, "PreconditionFailed", "The file is not the one that the request asks for");
  }

  const isHead = request.method === "HEAD";
  // Range is defined for GET alone (RFC 9110 §14.2).
  const asksRange = !isHead && allowsRange(request.headers, validators);
  const range = asksRange ? parseRange(request.headers.get("range"), file.size) : null;
  if (range === "unsatisfiable") {
    const message = `Cannot serve ${request.headers.get("range")}: the file has ${file.size} bytes`;
    return refuse(416, "RangeNotSatisfiable", message, { "Content-Range": `bytes */${file.size}` });
  }
  const headers = fileHeaders(file, permit);
  headers.set("Content-Length", String(range ? range.end - range.start + 1 : file.size));
  if (range) headers.set("Content-Range", `bytes ${range.start}-${range.end}/${file.size}`);
  // Where asking costs next to nothing. A cloud store would take as long to say as to begin to send.
  if (isHead && (!blobs.isLocal || (await blobs.head(blobKey)))) return new Response(null, { headers });

  const redirect = isHead ? null : await redirectToStore(file, blobKey, permit);
  if (redirect) return redirect;
  const body = isHead ? null : await blobs.get(blobKey, range ?? undefined);
  if (body) return new Response(body, { status: range ? 206 : 200, headers });
  // Deleted between the look-up and now; or else the store lost it.
  if (!(await findFile(permit.storageId))) return notFound();
  throw new Error(`Blob ${blobKey} of file ${permit.storageId} is not in the store`);
}

const notFound = () => refuse(404, "FileNotFound", "There is no such file; it may have been deleted");

function refuse(status: number, code: string, message: string, headers: Record<string, string> = {}): Response {
  const all = { ...corsHeaders, "Cache-Control": "no-store", ...headers };
  return Response.json({ code, message }, { status, headers: all });
}

/** What a conditional request is compared with. */
interface Validators {
  /** A strong entity tag, quotes included. */
  etag: string;
  /** To the second, in milliseconds since the epoch. */
  lastModified: number;
}

/** `200`: answer as if unconditional. The order is that of RFC 9110 §13.2.2, for GET and HEAD. */
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

/** Whether `Range` counts: `If-Range` is absent, or names exactly this file (RFC 9110 §13.1.5). */
export function allowsRange(headers: Headers, { etag, lastModified }: Validators): boolean {
  const ifRange = headers.get("if-range");
  return ifRange === null || ifRange === etag || parseHttpDate(ifRange) === lastModified;
}

const entityTag = String.raw`(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"`;
const entityTags = new RegExp(String.raw`^[ \t,]*(?:${entityTag}[ \t]*(?:,[ \t,]*|$))*$`);

/** A list that is not one of entity tags has none that matches. */
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

/** The three forms of RFC 9110 §5.6.7, in milliseconds since the epoch; `null` for anything else. */
export function parseHttpDate(text: string): number | null {
  const fields = forms.map((form) => form.exec(text)?.groups).find(Boolean);
  if (!fields) return null;
  const day = Number(fields.day);
  const hour = Number(fields.hour);
  const minute = Number(fields.minute);
  const second = Number(fields.second);
  const date = (year: number) => Date.UTC(year, months.indexOf(fields.month ?? ""), day, hour, minute, second);

  const year = fields.year?.length === 2 ? fullYear(Number(fields.year), date) : Number(fields.year);
  // A day that its month does not have would become one of the next month.
  const hasDay = day > 0 && new Date(Date.UTC(year, months.indexOf(fields.month ?? ""), day)).getUTCDate() === day;
  // The RFC lets a minute have a leap second.
  return hasDay && hour < 24 && minute < 60 && second <= 60 ? date(year) : null;
}

/** Of two digits: this century's, unless that is more than 50 years ahead; then the last century's. */
function fullYear(digits: number, date: (year: number) => number): number {
  const now = new Date();
  const year = Math.floor(now.getUTCFullYear() / 100) * 100 + digits;
  const horizon = new Date(now).setUTCFullYear(now.getUTCFullYear() + 50);
  return date(year) > horizon ? year - 100 : year;
}

/** A list of one range; RFC 9110 §5.6.1.2 lets lists have empty members. */
const single = /^bytes=[ \t,]*(\d*)-(\d*)[ \t,]*$/i;

/**
 * What a `Range` header asks of a file of `size` bytes (RFC 9110 §14.2): one range, `"unsatisfiable"`, or `null` for the
 * whole file, which is also the answer to a malformed header, another unit and several ranges.
 *
 *     bytes=0-499     → { start: 0, end: 499 }
 *     bytes=-500      → the last 500
 *     bytes=500-      → from 500 on
 *     bytes=9999999-  → "unsatisfiable"
 *     bytes=9-1, items=0-1, bytes=0-1,5-6 → null
 */
export function parseRange(header: string | null, size: number): ByteRange | "unsatisfiable" | null {
  const [, first, last] = single.exec(header ?? "") ?? [];
  // An empty file has no bytes to give a part of; clients that always ask for a range get it whole.
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

/** Milliseconds that the store's URL works, also after a delete: a player asks it for further parts. */
const lifetime = 60 * 60 * 1000;

/**
 * Sends the reader of a large file to the store, which serves it with what it can of the file's headers. `null` when the
 * file is to go through the app.
 */
async function redirectToStore(file: FileMetadata, blobKey: string, permit: FilePermit) {
  if (env.STORAGE_REDIRECT_ABOVE === undefined || file.size < env.STORAGE_REDIRECT_ABOVE) return null;
  const last = permit.expires === undefined ? Number.POSITIVE_INFINITY : permit.expires * 1000;
  const expires = new Date(Math.min(last, Date.now() + lifetime));
  const { contentType } = file;
  const disposition = dispositionOf(contentType, permit.download);
  const cacheControl = `private, max-age=${lifetime / 1000}, immutable, no-transform`;
  const url = await blobs.signUrl?.(blobKey, { contentType, disposition, cacheControl }, expires);
  if (!url) return null;
  // Never kept: after a delete the next request has to be a 404.
  return new Response(null, { status: 307, headers: { ...corsHeaders, "Cache-Control": "no-store", Location: url } });
}

interface Row {
  id: string;
  creationTime: Date;
  sha256: string;
  size: string;
  contentType: string | null;
  blobKey: string;
}

/**
 * A file and where its bytes are, or `null`. PostgreSQL is asked directly: by way of Prisma the look-up is a quarter of
 * the work of serving a small file.
 */
export async function findFile(id: string): Promise<{ file: FileMetadata; blobKey: string } | null> {
  const [row] = await pool.sql<Row>(
    `SELECT "_id" AS "id", "_creationTime" AS "creationTime", "sha256", "size", "contentType", "blobKey"
    FROM "_storage" WHERE "_id" = $1`,
    [id],
  );
  return row ? { file: toMetadata({ ...row, size: BigInt(row.size) }), blobKey: row.blobKey } : null;
}
