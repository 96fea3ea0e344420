import contentDisposition from "content-disposition";
import type { FileMetadata } from "../file-metadata";
import type { FilePermit } from "../file-url";

/** Seconds; the file never changes, so this is only how long a cache bothers. */
const maxAge = 30 * 24 * 60 * 60;

/** Types that browsers show without running anything in them. All others are downloads. */
const passive =
  /^(image\/(png|jpeg|gif|webp|avif|bmp|x-icon|vnd\.microsoft\.icon)|audio\/[\w.+-]+|video\/[\w.+-]+|application\/pdf|text\/plain)$/;

/** A file opened by its URL is a document of our origin: it may show itself, and nothing else. */
export const passivePolicy = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox";

/** Any site may show the file, as any may show what it has the URL of. */
export const corsHeaders = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers":
    "Digest, Repr-Digest, ETag, Content-Range, Accept-Ranges, Content-Disposition, Content-Length",
  "Cross-Origin-Resource-Policy": "cross-origin",
};

/** Headers of 200, 206 and 304 (SPEC §4). `Digest` and `Repr-Digest` are of the whole file, on a 206 too. */
export function fileHeaders(file: FileMetadata, permit: FilePermit): Headers {
  const digest = Buffer.from(file.sha256, "hex").toString("base64");
  const headers = new Headers({
    ...corsHeaders,
    "Accept-Ranges": "bytes",
    "Cache-Control": cacheControl(permit),
    "Content-Disposition": disposition(file, permit),
    "Content-Security-Policy": passivePolicy,
    Digest: `sha-256=${digest}`,
    ETag: etagOf(file),
    "Last-Modified": new Date(file._creationTime).toUTCString(),
    "Repr-Digest": `sha-256=:${digest}:`,
    "X-Content-Type-Options": "nosniff",
  });
  if (file.contentType !== null) headers.set("Content-Type", file.contentType);
  return headers;
}

export const etagOf = (file: FileMetadata) => `"${file.sha256}"`;

/** `no-transform`: a gzipped part of a file would not be that part. */
function cacheControl({ expires }: FilePermit): string {
  const age = expires === undefined ? maxAge : Math.min(maxAge, Math.max(0, expires - Math.ceil(Date.now() / 1000)));
  return `private, max-age=${age}, immutable, no-transform`;
}

function disposition({ contentType }: FileMetadata, { download }: FilePermit): string {
  const [essence = ""] = (contentType ?? "").toLowerCase().split(";");
  const type = download === undefined && passive.test(essence.trim()) ? "inline" : "attachment";
  return contentDisposition(download, { type });
}
