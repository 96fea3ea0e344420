import { uploadDirectly } from "./direct-upload";
import { send } from "./send";
import { readStorageId } from "./upload-answer";

export interface UploadRequest {
  /** What `generateUploadUrl` answered. Good for one stored file; a failed attempt may be repeated with it. */
  url: string;
  file: File;
  /** Called with the bytes sent so far, out of `file.size`. */
  onProgress?: (sent: number) => void;
  signal?: AbortSignal;
}

/** Bytes that every host takes in one request, which is the quickest way. Larger files may go to the store itself. */
const smallFile = 4_000_000;

/**
 * Sends a file to an upload URL and resolves with its storage id.
 *
 * Rejects with an `UploadError`, or with the signal's reason when aborted. Call it again with the same URL after a lost
 * connection: if the file did arrive, the answer that was lost is given again.
 */
export async function uploadFile(request: UploadRequest): Promise<{ storageId: string }> {
  const { url, file, onProgress, signal } = request;
  const direct = file.size > smallFile ? await uploadDirectly(request) : null;
  // The browser sends `file.type` as the Content-Type, and none for a file of unknown type.
  return direct ?? readStorageId(await send({ method: "POST", url, body: file, onProgress, signal }));
}
