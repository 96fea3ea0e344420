import { env } from "../../process/env";
import { blobs } from "../driver";
import type { FileMetadata } from "../file-metadata";
import type { FilePermit } from "../file-url";
import { dispositionOf } from "./disposition";
import { corsHeaders } from "./file-headers";

/** Milliseconds that the store's URL works, also after a delete: a player asks it for further parts. */
const lifetime = 60 * 60 * 1000;

/**
 * Sends the reader of a large file to the store, which serves it with what it can of the file's headers. `null` when the
 * file is to go through the app.
 */
export async function redirectToStore(file: FileMetadata, blobKey: string, permit: FilePermit) {
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
