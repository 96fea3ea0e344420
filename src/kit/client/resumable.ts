import {
  type Answer,
  createRetries,
  explainAnswer,
  orNull,
  readCode,
  readStorageId,
  refuseChanged,
  send,
  type Uploaded,
} from "./upload-request";

// Uploads through the app in chunks, with tus: docs/protocol.md.

const mebibyte = 1024 * 1024;
const smallestChunkBytes = mebibyte / 4;
const firstChunkBytes = 8 * mebibyte;
const largestChunkBytes = 64 * mebibyte;
/** Chunks grow and shrink until sending one takes about this long. */
const chunkMs = 5_000;

const version = { "Tus-Resumable": "1.0.0" };

interface ChunkedUpload {
  url: string;
  file: File;
  /** Lower-case hex. */
  sha256?: string;
  onProgress?: (sent: number) => void;
  signal?: AbortSignal;
}

/** Sends a file in chunks. Continues where the server is, after a lost connection and when it is called again with the URL. */
export async function uploadInChunks({ url, file, sha256, onProgress, signal }: ChunkedUpload): Promise<Uploaded> {
  const retries = createRetries(signal);
  let chunkBytes = firstChunkBytes;
  let most = largestChunkBytes;

  /** Begins the upload, or asks how far it has come. */
  async function locate(begins: boolean): Promise<number | Uploaded> {
    const headers = {
      ...version,
      ...(begins && { "Upload-Length": String(file.size), "Upload-Metadata": `filetype ${btoa(file.type)}` }),
      ...(begins && sha256 && { "Repr-Digest": `sha-256=:${base64OfHex(sha256)}:` }),
    };
    const ask = () => send({ method: begins ? "POST" : "HEAD", url, headers, signal, isRepeatable: true });
    const answer = await retries.until(ask);
    // An upload that has begun may go on after its URL has expired.
    if (begins && readCode(answer) === "StorageTokenExpired") return locate(false);
    const offset = answer.header("Upload-Offset");
    if (answer.status < 300 && offset !== null) return uploadedBy(answer) ?? Number(offset);
    if (!begins && answer.status === 404) throw explainAnswer(401, "StorageTokenExpired");
    return readStorageId(answer);
  }

  async function sendChunk(offset: number): Promise<number | Uploaded> {
    const body = file.slice(offset, offset + chunkBytes);
    const began = performance.now();
    const answer = await orNull(
      send({
        method: "PATCH",
        url,
        headers: { ...version, "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" },
        body,
        onProgress: (sent) => onProgress?.(Math.min(file.size, offset + sent)),
        signal,
        isRepeatable: true,
      }),
    );
    if (answer?.status === 204) {
      const pace = chunkMs / Math.max(1, performance.now() - began);
      chunkBytes = clamp(Math.ceil(chunkBytes * clamp(pace, 0.5, 2)), smallestChunkBytes, most);
      retries.reset();
      return uploadedBy(answer) ?? Number(answer.header("Upload-Offset"));
    }
    // A proxy that refuses large bodies answers without a code, or cuts the connection.
    const isTooLarge = answer?.status === 413 && readCode(answer) === undefined;
    if (isTooLarge && chunkBytes > smallestChunkBytes) {
      chunkBytes = Math.max(smallestChunkBytes, Math.floor(body.size / 4));
      most = chunkBytes;
      return offset;
    }
    if (answer && !isPassing(answer.status)) return readStorageId(answer);
    // A browser may repeat a request by itself when its connection breaks. Then the server already has some of its bytes.
    if (!answer || answer.status === 409) chunkBytes = Math.max(smallestChunkBytes, Math.floor(chunkBytes / 2));
    await refuseChanged(body);
    await retries.wait(answer);
    const reached = await locate(false);
    // A connection that breaks again and again may still make progress.
    if (typeof reached === "number" && reached > offset) retries.reset();
    return reached;
  }

  let reached = await locate(true);
  while (typeof reached === "number") {
    onProgress?.(reached);
    reached = await sendChunk(reached);
  }
  return reached;
}

/** Deletes what the server has of an upload that was given up. */
export async function discardChunks(url: string): Promise<void> {
  await orNull(send({ method: "DELETE", url, headers: version }));
}

function uploadedBy(answer: Answer): Uploaded | null {
  const storageId = answer.header("Storage-Id");
  return storageId === null ? null : { storageId };
}

const base64OfHex = (hex: string) => btoa(hex.replace(/../g, (byte) => String.fromCharCode(Number.parseInt(byte, 16))));

const clamp = (value: number, least: number, most: number) => Math.min(most, Math.max(least, value));

/**
 * Whether a later attempt may succeed: after an offset mismatch, a wrong checksum, a lock, a timeout, too many requests, or
 * a failure of the server.
 */
const isPassing = (status: number) => [400, 408, 409, 423, 429].includes(status) || status >= 500;
