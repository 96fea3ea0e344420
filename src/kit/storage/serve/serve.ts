import { DatabaseUnavailable } from "../../database/database-unavailable";
import { blobs } from "../driver";
import { type FilePermit, readFileUrl } from "../file-url";
import { cacheHeaders, corsHeaders, etagOf, fileHeaders, lastModifiedOf } from "./file-headers";
import { findFile } from "./find-file";
import { allowsRange, evaluatePreconditions } from "./preconditions";
import { parseRange } from "./range";
import { redirectToStore } from "./redirect";

const preflight = {
  ...corsHeaders,
  "Access-Control-Allow-Methods": "GET, HEAD",
  "Access-Control-Allow-Headers": "Range, If-Range, If-None-Match, If-Modified-Since, If-Match, If-Unmodified-Since",
  "Access-Control-Max-Age": "86400",
};

/** `GET`, `HEAD /api/storage/<storage id>/<signature>`: the bytes of a file (SPEC §4). */
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
