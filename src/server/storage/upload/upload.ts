import { env } from "../../env";
import { uploadHours } from "../ledger";
import { receiveFile } from "../receive";
import { allowsContentType, readUploadToken, type UploadPermit } from "../upload-url";
import { withStallTimeout } from "./stall";
import { UploadError } from "./upload-error";
import { parseContentLength, parseContentType, parseDigests } from "./upload-headers";

/** The token is the authority: any site may upload with it, none with the user's cookies. */
const cors = { "Access-Control-Allow-Origin": "*" };

const preflight = {
  ...cors,
  "Access-Control-Allow-Methods": "POST",
  "Access-Control-Allow-Headers": "Content-Type, Digest, Content-Digest, Repr-Digest",
  "Access-Control-Max-Age": "86400",
};

/** `POST /api/storage/upload?token=…`: the raw body becomes a file (SPEC §3). */
export async function upload(request: Request): Promise<Response> {
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: preflight });
  if (request.method !== "POST") {
    const message = `Cannot ${request.method} an upload URL; POST the file to it`;
    const refusal = answer({ code: "MethodNotAllowed", message }, 405, { Allow: "POST, OPTIONS" });
    return request.method === "HEAD" ? new Response(null, refusal) : refusal;
  }
  try {
    return answer({ storageId: await receiveUpload(request) }, 200);
  } catch (error) {
    const { code, message, details, status } = toUploadError(error);
    if (status >= 500) console.error("Upload failed:", error);
    // A client that is stuck may not be at the start of a request when it goes on.
    return answer({ code, message, ...details }, status, status === 408 ? { Connection: "close" } : {});
  }
}

async function receiveUpload(request: Request): Promise<string> {
  const permit = readPermit(new URL(request.url));
  const contentType = parseContentType(request.headers);
  const size = parseContentLength(request.headers);
  const sha256 = parseDigests(request.headers);
  const { storageId, maxSize } = permit;
  if (!allowsContentType(permit, contentType)) {
    const allowed = permit.contentTypes?.join(", ");
    const message = `This upload URL takes ${allowed}, not ${contentType ?? "a file without a type"}; send such a file`;
    throw new UploadError("ContentTypeNotAllowed", message);
  }
  if (maxSize !== undefined && size !== undefined && size > maxSize) throw UploadError.tooLarge(maxSize);
  const body = withStallTimeout(request.body ?? new Blob().stream(), env.UPLOAD_STALL_TIMEOUT);
  await receiveFile({
    storageId,
    body,
    contentType,
    sha256,
    size,
    maxSize,
    owner: permit.owner,
    // Uploads that began in time may end this much later.
    spentUntil: permit.expiresAt + 2 * uploadHours * 3_600_000,
  });
  return storageId;
}

/** The time that counts is that of the request's start (SPEC §3). */
function readPermit(url: URL): UploadPermit {
  const token = url.searchParams.get("token");
  if (!token) throw new UploadError("BadQueryArgs", "The URL has no token; use the URL that generateUploadUrl returns");
  const permit = readUploadToken(token);
  if (!permit) throw new UploadError("StorageTokenInvalid", "This is not an upload URL of ours; ask for a new one");
  if (permit.expiresAt < Date.now()) {
    throw new UploadError("StorageTokenExpired", "The upload URL expired; ask for a new one");
  }
  return permit;
}

function toUploadError(error: unknown): UploadError {
  if (error instanceof UploadError) return error;
  return new UploadError("InternalServerError", "The upload failed on the server; try again");
}

function answer(body: object, status: number, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { ...cors, "Cache-Control": "no-store", ...headers } });
}
