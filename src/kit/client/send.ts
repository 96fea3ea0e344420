import { connectionLost } from "./upload-error";

interface SendRequest {
  method: string;
  url: string;
  headers?: Record<string, string>;
  body: Blob | string;
  /** Called with the bytes of the body sent so far. */
  onProgress?: (sent: number) => void;
  signal?: AbortSignal;
}

/**
 * Sends a request. By XMLHttpRequest, because `fetch` reports no upload progress.
 *
 * Rejects with an `UploadError` when no answer comes, or with the signal's reason when aborted.
 */
export function send({ method, url, headers = {}, body, onProgress, signal }: SendRequest) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    signal?.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded }) => onProgress?.(loaded));
    const abort = () => request.abort();
    request.addEventListener("load", () => resolve({ status: request.status, text: request.responseText }));
    request.addEventListener("error", () => reject(connectionLost()));
    request.addEventListener("abort", () => reject(signal?.reason));
    request.addEventListener("loadend", () => signal?.removeEventListener("abort", abort));
    signal?.addEventListener("abort", abort);
    request.send(body);
  });
}
