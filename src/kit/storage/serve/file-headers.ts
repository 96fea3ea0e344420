import { env } from "../../process/env";
import type { FileMetadata } from "../file-metadata";
import type { FilePermit } from "../file-url";
import { dispositionOf } from "./disposition";

/** Seconds; the file never changes, so this is only how long a cache bothers. */
const maxAge = 30 * 24 * 60 * 60;

/** A file opened by its URL is a document of our origin: it may show itself, and nothing else. */
export const passivePolicy = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox";

/** Any site may show the file, as any may show what it has the URL of. */
export const corsHeaders = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers":
    "Digest, Repr-Digest, ETag, Content-Range, Accept-Ranges, Content-Disposition, Content-Length",
  "Cross-Origin-Resource-Policy": "cross-origin",
};

/** Headers of 200, 206 and 304: what caches go by. */
export function cacheHeaders(file: FileMetadata, permit: FilePermit): Headers {
  return new Headers({
    ...corsHeaders,
    "Cache-Control": cacheControl(permit),
    ETag: etagOf(file),
    "Last-Modified": new Date(lastModifiedOf(file)).toUTCString(),
  });
}

/** Headers of 200 and 206. `Digest` and `Repr-Digest` are of the whole file, on a 206 too. */
export function fileHeaders(file: FileMetadata, permit: FilePermit): Headers {
  const digest = Buffer.from(file.sha256, "hex").toString("base64");
  const headers = cacheHeaders(file, permit);
  headers.set("Accept-Ranges", "bytes");
  headers.set("Content-Disposition", dispositionOf(file.contentType, permit.download));
  headers.set("Content-Security-Policy", passivePolicy);
  if (file.contentType !== null) headers.set("Content-Type", file.contentType);
  headers.set("Digest", `sha-256=${digest}`);
  headers.set("Repr-Digest", `sha-256=:${digest}:`);
  headers.set("X-Content-Type-Options", "nosniff");
  return headers;
}

/** Milliseconds since the epoch, in whole seconds; never in the future, where the database's clock may be (RFC 9110 §8.8.2.1). */
export const lastModifiedOf = ({ _creationTime }: FileMetadata) =>
  Math.floor(Math.min(_creationTime, Date.now()) / 1000) * 1000;

export const etagOf = (file: FileMetadata) => `"${file.sha256}"`;

/** `no-transform`: a gzipped part of a file would not be that part. */
function cacheControl({ expires }: FilePermit): string {
  const age = expires === undefined ? maxAge : Math.min(maxAge, Math.max(0, expires - Math.ceil(Date.now() / 1000)));
  return `${env.STORAGE_CACHE}, max-age=${age}, immutable, no-transform`;
}
