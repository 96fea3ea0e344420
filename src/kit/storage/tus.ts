import { prisma } from "../database/database";
import { clientNetwork } from "../http/client-address";
import { env } from "../process/env";
import type { Chunk } from "./drivers/driver";
import { canonicalType, parseDigests } from "./headers";
import { isUsed, maxUploadMs, urlUsedUntil } from "./ownership";
import { receiveFile } from "./receive";
import {
  append,
  beginUpload,
  finishUpload,
  type Lease,
  removeUpload,
  type UnfinishedUpload,
  withUpload,
} from "./resumable";
import type { UploadToken } from "./tokens";
import { checkAnnounced, readSignedTokenOf, readTokenOf, refusalOf, upload, withTimeouts } from "./upload";
import { UploadError } from "./upload-error";

// The protocol tus 1.0.0 (https://tus.io), with which an upload continues after a lost connection. An upload URL is also the
// URL of its one upload. docs/protocol.md describes what the server supports.

const version = "1.0.0";

const options = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Methods": "POST, HEAD, PATCH, DELETE",
  "Access-Control-Allow-Headers":
    "Content-Type, Digest, Content-Digest, Repr-Digest, Tus-Resumable, Upload-Length, Upload-Offset, Upload-Metadata, " +
    "Upload-Checksum, X-HTTP-Method-Override, X-Request-ID",
  "Access-Control-Max-Age": "86400",
  "Tus-Resumable": version,
  "Tus-Version": version,
  "Tus-Extension": "creation,creation-with-upload,expiration,termination,checksum",
  "Tus-Checksum-Algorithm": "sha1,sha256",
};

/** `/api/storage/upload?token=…`: takes a file in one `POST`, or with tus in several requests. */
export async function takeUpload(request: Request): Promise<Response> {
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: options });
  if (!request.headers.has("Tus-Resumable")) return upload(request);
  const response = await answerTus(request).catch(refusalOf);
  response.headers.set("Tus-Resumable", version);
  if (response.status === 412) response.headers.set("Tus-Version", version);
  response.headers.set("Access-Control-Expose-Headers", exposed);
  return request.method === "HEAD" ? new Response(null, response) : response;
}

const exposed =
  "Location, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, " +
  "Upload-Metadata, Upload-Expires, Storage-Id, Retry-After";

async function answerTus(request: Request): Promise<Response> {
  const given = request.headers.get("Tus-Resumable");
  if (given !== version) {
    throw new UploadError("TusVersionUnsupported", `The server speaks tus ${version}, not ${given}; use that version`);
  }
  const method = request.headers.get("X-HTTP-Method-Override") ?? request.method;
  switch (method) {
    case "POST":
      return create(request);
    case "PATCH":
      return patch(request, readSignedTokenOf(request), 204);
    case "HEAD":
      return head(readSignedTokenOf(request));
    case "DELETE":
      return remove(readSignedTokenOf(request));
    default: {
      const message = `Cannot ${method} an upload URL with tus; use POST, HEAD, PATCH or DELETE`;
      return Response.json(
        { code: "MethodNotAllowed", message },
        { status: 405, headers: { Allow: options["Access-Control-Allow-Methods"] } },
      );
    }
  }
}

/** An answer without a body. */
function answer(status: number, headers: Record<string, string | null>): Response {
  const given = Object.entries(headers).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]));
  const all = { "Access-Control-Allow-Origin": "*", "Cache-Control": "no-store", ...Object.fromEntries(given) };
  return new Response(null, { status, headers: all });
}

/** Begins an upload. The request may carry the first bytes, and an empty file is complete at once. */
async function create(request: Request): Promise<Response> {
  const { headers } = request;
  const token = readTokenOf(request);
  const { storageId, owner } = token;
  const size = readNumber(headers, "Upload-Length");
  const metadata = headers.get("Upload-Metadata");
  const contentType = typeIn(metadata);
  const sha256 = parseDigests(headers);
  const network = clientNetwork(headers);
  checkAnnounced(token, { contentType, size });
  const { pathname, search } = new URL(request.url);
  const location = { Location: `${pathname}${search}` };
  if (size === 0) {
    const body = new Blob().stream() as ReadableStream<Chunk>;
    await receiveFile({ storageId, body, contentType, sha256, size, owner, network, usedUntil: urlUsedUntil(token) });
    return answer(201, { ...location, "Storage-Id": storageId });
  }
  const { offset, expiresAt } = await beginUpload(token, { size, contentType, sha256, metadata, network });
  if (headers.get("Content-Type") !== chunkType) {
    // Says how far the upload has come, so that a client whose answer was lost, or whose page was reloaded, need not ask.
    const reached = { "Upload-Offset": String(offset), "Upload-Expires": expiresAt.toUTCString() };
    return answer(201, { ...location, ...reached });
  }
  const sent = await patch(request, token, 201, 0);
  sent.headers.set("Location", location.Location);
  return sent;
}

const chunkType = "application/offset+octet-stream";

async function patch(request: Request, { storageId }: UploadToken, status: number, first?: number): Promise<Response> {
  const { headers } = request;
  if (headers.get("Content-Type") !== chunkType) {
    throw new UploadError("ContentTypeNotAllowed", `Send the bytes with Content-Type: ${chunkType}`);
  }
  const offset = first ?? readNumber(headers, "Upload-Offset");
  const checksum = readChecksum(headers);
  const network = clientNetwork(headers);

  async function write(unfinished: UnfinishedUpload, lease: Lease): Promise<Response> {
    const { size, progress, expiresAt } = unfinished;
    if (offset !== progress.offset) throw wrongOffset(progress.offset, offset);
    const length = headers.has("Content-Length") ? readNumber(headers, "Content-Length") : 0;
    if (offset + length > size) throw UploadError.tooLarge(size);
    const timeouts = { stallMs: env.UPLOAD_STALL_TIMEOUT, wholeMs: maxUploadMs, signal: lease.signal };
    const body = withTimeouts(request.body ?? new Blob().stream(), timeouts);
    const isWhole = offset === size;
    const now = isWhole ? progress : await append(unfinished, lease, { body, checksum, network });
    if (now.offset === size) await finishUpload({ ...unfinished, progress: now });
    return answer(status, {
      "Upload-Offset": String(now.offset),
      ...(now.offset === size ? { "Storage-Id": storageId } : { "Upload-Expires": expiresAt.toUTCString() }),
    });
  }

  const written = await withUpload(storageId, write);
  if (written) return written;
  const file = await findFile(storageId);
  if (offset !== file.size) throw wrongOffset(file.size, offset);
  return answer(status, { "Upload-Offset": String(offset), "Storage-Id": storageId });
}

const wrongOffset = (offset: number, given: number) =>
  new UploadError("OffsetMismatch", `The upload has ${offset} bytes, not ${given}; ask for its offset with HEAD`);

/**
 * Answers how far the upload has come. Completes an upload whose last request ended after its last byte but before its
 * answer.
 */
async function head({ storageId }: UploadToken): Promise<Response> {
  const found = await withUpload(storageId, async (unfinished) => {
    const { size, progress, metadata, expiresAt } = unfinished;
    const isWhole = progress.offset === size;
    if (isWhole) await finishUpload(unfinished);
    return answer(200, {
      "Upload-Offset": String(progress.offset),
      "Upload-Length": String(size),
      "Upload-Metadata": metadata,
      ...(isWhole ? { "Storage-Id": storageId } : { "Upload-Expires": expiresAt.toUTCString() }),
    });
  });
  if (found) return found;
  const size = String((await findFile(storageId)).size);
  return answer(200, { "Upload-Offset": size, "Upload-Length": size, "Storage-Id": storageId });
}

async function remove({ storageId }: UploadToken): Promise<Response> {
  const removed = await withUpload(storageId, async (unfinished) => {
    await removeUpload(unfinished);
    return true;
  });
  if (!removed) await findFile(storageId);
  // An earlier request may have made the file although its client got no answer.
  if (await isUsed(prisma, storageId)) throw UploadError.used(storageId);
  return answer(204, {});
}

/** The file that a complete upload has made. */
async function findFile(storageId: string): Promise<{ size: number }> {
  const file = await prisma.storage.findUnique({ where: { id: storageId }, select: { size: true } });
  if (file) return { size: Number(file.size) };
  throw new UploadError("UploadNotFound", "No upload has begun with this URL, or it was not completed in time");
}

function readNumber(headers: Headers, name: string): number {
  const value = headers.get(name);
  const number = Number(value);
  if (value !== null && /^\d+$/.test(value) && Number.isSafeInteger(number)) return number;
  throw new UploadError("BadHeader", `${name} is missing or is not a number of bytes. Send it.`);
}

/** The media type that the client sent as `filetype` in `Upload-Metadata`, which is the convention of tus clients. */
function typeIn(metadata: string | null): string | null {
  for (const pair of (metadata ?? "").split(",")) {
    const [key, value = "", ...rest] = pair.trim().split(" ");
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(value) || rest.length > 0) {
      throw new UploadError("BadHeader", "Cannot parse Upload-Metadata; write: name base64,name base64");
    }
    const text = key === "filetype" ? Buffer.from(value, "base64").toString() : "";
    if (!text) continue;
    const type = canonicalType(text);
    if (type === null)
      throw new UploadError("BadHeader", "The filetype in Upload-Metadata is not a media type, for example image/png.");
    return type;
  }
  return null;
}

function readChecksum(headers: Headers) {
  const value = headers.get("Upload-Checksum");
  if (value === null) return undefined;
  const [algorithm, digest = ""] = value.split(" ");
  if ((algorithm === "sha1" || algorithm === "sha256") && digest !== "") return { algorithm, digest } as const;
  throw new UploadError(
    "BadHeader",
    "Cannot parse Upload-Checksum; write sha1 or sha256, a space, and the digest as base64",
  );
}
