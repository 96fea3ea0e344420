import { DatabaseUnavailable } from "../database/errors";
import { RateLimited } from "../functions/rate-limit";
import { clientNetwork } from "../http/client-address";
import { takeArrivedBody } from "../http/node-adapter";
import { env } from "../process/env";
import type { Chunk } from "./drivers/driver";
import { canonicalType, essenceOf, parseContentLength, parseContentType, parseDigests } from "./headers";
import { maxUploadMs, urlUsedUntil } from "./ownership";
import { receiveFile } from "./receive";
import { readUploadToken, type UploadLimits, type UploadToken } from "./tokens";
import { UploadError } from "./upload-error";

/** `POST /api/storage/upload?token=…`: stores the raw body as a file. */
export const upload = uploadEndpoint(async (request) => {
  const token = readTokenOf(request);
  const contentType = parseContentType(request.headers);
  const size = parseContentLength(request.headers);
  const sha256 = parseDigests(request.headers);
  checkAnnounced(token, { contentType, size });
  const { storageId, maxSize, owner } = token;
  const network = clientNetwork(request.headers);
  const usedUntil = urlUsedUntil(token);
  await receiveFile({
    storageId,
    body: chunksOf(request),
    contentType,
    sha256,
    size,
    maxSize,
    owner,
    network,
    usedUntil,
  });
  return { storageId };
});

/** The chunks of the body, with time limits. A small body has often arrived completely before it is read. */
async function* chunksOf(request: Request): AsyncGenerator<Chunk> {
  const arrived = takeArrivedBody(request);
  const timeouts = { stallMs: env.UPLOAD_STALL_TIMEOUT, wholeMs: maxUploadMs };
  if (arrived) yield arrived;
  else yield* withTimeouts(request.body ?? new Blob().stream(), timeouts);
}

/** The token alone gives access. Pages of every site may upload with it, and cookies have no effect. */
export const cors = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After" };

const preflight = {
  ...cors,
  "Access-Control-Allow-Methods": "POST",
  "Access-Control-Allow-Headers": "Content-Type, Digest, Content-Digest, Repr-Digest",
  "Access-Control-Max-Age": "86400",
};

/** What the endpoints of uploads share: they accept POST from every site, and answer JSON, `{ code, message }` for errors. */
export function uploadEndpoint(handle: (request: Request) => Promise<object>) {
  return async (request: Request): Promise<Response> => {
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: preflight });
    if (request.method !== "POST") {
      const message = `Cannot ${request.method} an upload URL; POST the file to it`;
      const refusal = answer({ code: "MethodNotAllowed", message }, 405, { Allow: "POST, OPTIONS" });
      return request.method === "HEAD" ? new Response(null, refusal) : refusal;
    }
    try {
      return answer(await handle(request), 200);
    } catch (error) {
      return refusalOf(error);
    }
  };
}

/** The answer to an upload that failed. */
export function refusalOf(error: unknown): Response {
  const { code, message, details, status } = toUploadError(error);
  if (status >= 500) console.error("Upload failed:", error);
  const headers = {
    // The rest of a stalled body may still arrive, and would be taken for the start of the next request.
    ...(status === 408 && { Connection: "close" }),
    ...(error instanceof RateLimited && { "Retry-After": String(error.retryAfter) }),
    ...(status === 423 && { "Retry-After": "1" }),
  };
  return answer({ code, message, ...details }, status, headers);
}

function toUploadError(error: unknown): UploadError {
  if (error instanceof UploadError) return error;
  if (error instanceof RateLimited) return new UploadError("TooManyRequests", error.message);
  if (error instanceof DatabaseUnavailable) return UploadError.ofStore(error);
  return new UploadError("InternalServerError", "The upload failed on the server; try again");
}

/** `no-transform` turns off the compression of Next.js, which starts at 1 KB and never ends such a response. */
function answer(body: object, status: number, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { ...cors, "Cache-Control": "no-store, no-transform", ...headers } });
}

/** Reads the upload token in the URL. It must be valid when the request starts, not when the upload ends. */
export function readTokenOf(request: Request): UploadToken {
  const token = readSignedTokenOf(request);
  if (token.expiresAt < Date.now()) {
    throw new UploadError("StorageTokenExpired", "The upload URL expired; ask for a new one");
  }
  return token;
}

/** Reads the upload token in the URL, also after it has expired. */
export function readSignedTokenOf(request: Request): UploadToken {
  const text = new URL(request.url).searchParams.get("token");
  if (!text) throw new UploadError("BadQueryArgs", "The URL has no token; use the URL that generateUploadUrl returns");
  const token = readUploadToken(text);
  if (!token) throw new UploadError("StorageTokenInvalid", "This app did not sign the upload URL. Ask for a new one.");
  return token;
}

/** Refuses a file that the token does not allow, before its first byte. */
export function checkAnnounced(token: UploadToken, file: { contentType: string | null; size?: number }): void {
  const { maxSize } = token;
  checkType(token, file.contentType);
  if (maxSize !== undefined && file.size !== undefined && file.size > maxSize) throw UploadError.tooLarge(maxSize);
}

/** @throws UploadError `ContentTypeNotAllowed` */
export function checkType(allowed: UploadLimits, contentType: string | null): void {
  if (allowsContentType(allowed, contentType)) return;
  const given = contentType ?? "a file without a type";
  const message = `Only ${allowed.contentTypes?.join(", ")} can be sent here, not ${given}; send such a file`;
  throw new UploadError("ContentTypeNotAllowed", message);
}

/** Whether the token allows this type. Parameters such as `charset` do not count. */
export function allowsContentType({ contentTypes }: UploadLimits, contentType: string | null): boolean {
  if (!contentTypes) return true;
  const type = essenceOf(contentType);
  return contentTypes.some((allowed) => {
    const wanted = canonicalType(allowed) ?? "";
    return wanted.endsWith("/*") ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
  });
}

interface Timeouts {
  /** The longest time without a chunk. */
  stallMs: number;
  /** The longest time for the whole body. Garbage collection deletes the bytes of older uploads. */
  wholeMs: number;
  /** Ends the body early. Its reason is a text. */
  signal?: AbortSignal;
}

/** Passes the chunks on. Throws `RequestTimeout` when they come too slowly, and `IncompleteBody` when the body breaks off. */
export async function* withTimeouts(body: ReadableStream<Chunk>, timeouts: Timeouts): AsyncGenerator<Chunk> {
  const reader = body.getReader();
  let waiting = false;
  let late: string | undefined;
  // Cancelling ends the read that waits. A race between the read and the timer would keep every chunk in memory.
  const giveUp = (message: string) => {
    late = message;
    reader.cancel().catch(() => undefined);
  };
  const { stallMs, wholeMs, signal } = timeouts;
  const stop = () => giveUp(String(signal?.reason));
  signal?.addEventListener("abort", stop);
  if (signal?.aborted) stop();
  const stall = setTimeout(() => waiting && giveUp(`No bytes came for ${stallMs / 1000} s`), stallMs);
  const whole = setTimeout(() => giveUp(`The upload took ${wholeMs / 3_600_000} hours`), wholeMs);
  try {
    for (;;) {
      waiting = true;
      stall.refresh();
      const { done, value } = await reader.read().catch(brokenOff);
      waiting = false;
      if (late) throw new UploadError("RequestTimeout", `${late}; send the file again`);
      if (done) return;
      yield value;
    }
  } finally {
    clearTimeout(stall);
    clearTimeout(whole);
    signal?.removeEventListener("abort", stop);
    // Not awaited, because cancelling a body that stalls may never end.
    reader.cancel().catch(() => undefined);
  }
}

function brokenOff(cause: unknown): never {
  throw new UploadError("IncompleteBody", "The body broke off; send the file again", {}, { cause });
}
