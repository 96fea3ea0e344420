import { type Begun, uploadDirectly } from "./direct";
import { uploadInChunks } from "./resumable";
import {
  connectionLost,
  orNull,
  readPart,
  readStorageId,
  refuseChanged,
  send,
  UploadError,
  type Uploaded,
} from "./upload-request";

interface UploadRequest {
  /** The result of `generateUploadUrl`. It accepts one file. A failed attempt may be repeated with it. */
  url: string;
  file: File;
  /** Receives the number of bytes sent so far, out of `file.size`. */
  onProgress?: (sent: number) => void;
  signal?: AbortSignal;
  /** Leaves EXIF and GPS out of a JPEG: see `UploadOptions`. Default: false. */
  stripMetadata?: boolean;
  /** The value that `onBegun` received for this URL, perhaps on an earlier page. */
  begun?: Begun | null;
  /** Receives what a direct upload needs to continue, each time that it changes. `null` for an upload through the app. */
  onBegun?: (begun: Begun | null) => void;
  /** Receives what an administrator should know: why the file cannot go straight to the store. Others are told nothing. */
  onNotice?: (notice: string) => void;
}

/** Every host accepts this much in one request, which is the fastest way. Larger files go in parts. */
export const smallFileBytes = 4_000_000;

/**
 * Sends a file to an upload URL and resolves with its storage id. A large file continues after a lost connection: directly to
 * a cloud store in parts, or through the app in chunks.
 *
 * Rejects with an `UploadError`, or with the signal's reason when aborted. Then call it again with the same URL: it continues,
 * and if the file did arrive, the server repeats its answer.
 */
export async function uploadFile(given: UploadRequest): Promise<Uploaded> {
  const request = given.stripMetadata ? { ...given, file: await stripped(given.file) } : given;
  const { url, file, onProgress, signal } = request;
  if (file.size > smallFileBytes) {
    const sha256 = request.begun === undefined ? await sha256Of(request.file) : undefined;
    const direct = request.begun === null ? null : await uploadDirectly({ ...request, sha256 });
    if (direct) return direct;
    request.onBegun?.(null);
    return uploadInChunks({ ...request, sha256 });
  }
  // The browser sends `file.type` as the Content-Type, and no Content-Type for a file of unknown type.
  const answer = await orNull(send({ method: "POST", url, body: file, onProgress, signal }));
  if (answer) return readStorageId(answer);
  await refuseChanged(file);
  throw connectionLost();
}

async function stripped(file: File): Promise<File> {
  const { stripMetadata } = await import("./strip-metadata");
  return stripMetadata(file).catch((cause) => {
    throw new UploadError("Refused", cause instanceof Error ? cause.message : String(cause), {
      retryable: false,
      cause,
    });
  });
}

/** Larger files are not hashed before they are sent, because that takes their size in memory. */
const hashedBytes = 64 * 1024 * 1024;

let hashing: Promise<unknown> = Promise.resolve();

/**
 * The SHA-256 of a file, as lower-case hex, with which the store can check the whole. One file after the other is hashed, beside
 * the page's own thread. Pages without HTTPS cannot hash.
 */
async function sha256Of(file: File): Promise<string | undefined> {
  const { subtle } = globalThis.crypto ?? {};
  if (!subtle || file.size > hashedBytes) return undefined;
  const digest = hashing.then(async () => new Uint8Array(await subtle.digest("SHA-256", await readPart(file))));
  hashing = digest.catch(() => undefined);
  return [...(await digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
