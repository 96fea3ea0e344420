import { connectionLost, explainAnswer } from "./upload-error";

interface UploadRequest {
  /** What `generateUploadUrl` answered. Good for one stored file; a failed attempt may be repeated with it. */
  url: string;
  file: File;
  /** Called with the bytes sent so far, out of `file.size`. */
  onProgress?: (sent: number) => void;
  signal?: AbortSignal;
}

/**
 * Sends a file to an upload URL and resolves with its storage id.
 *
 * Rejects with an `UploadError`, or with the signal's reason when aborted. Call it again with the same URL after a lost
 * connection: if the file did arrive, the answer that was lost is given again.
 */
export function uploadFile({ url, file, onProgress, signal }: UploadRequest): Promise<{ storageId: string }> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    // XMLHttpRequest, because `fetch` reports no upload progress.
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.upload.addEventListener("progress", ({ loaded }) => onProgress?.(loaded));
    request.addEventListener("load", () => {
      const { storageId, code } = parseAnswer(request.responseText);
      if (storageId && (request.status === 200 || code === "StorageTokenUsed")) resolve({ storageId });
      else reject(explainAnswer(request.status, code));
    });
    request.addEventListener("error", () => reject(connectionLost()));
    request.addEventListener("abort", () => reject(signal?.reason));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    // The browser sends `file.type` as the Content-Type, and none for a file of unknown type.
    request.send(file);
  });
}

/** The fields of the endpoint's JSON that are there; none for the HTML page of some proxy. */
function parseAnswer(text: string): { storageId?: string; code?: string } {
  if (!text.startsWith("{")) return {};
  const answer: unknown = JSON.parse(text);
  if (typeof answer !== "object" || answer === null) return {};
  return {
    ...("storageId" in answer && typeof answer.storageId === "string" && { storageId: answer.storageId }),
    ...("code" in answer && typeof answer.code === "string" && { code: answer.code }),
  };
}
