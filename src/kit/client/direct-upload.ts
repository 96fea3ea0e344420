import { anySignal } from "./any-signal";
import { retryWhenLost } from "./retry-when-lost";
import { send } from "./send";
import type { UploadRequest } from "./upload";
import { parseAnswer, readStorageId } from "./upload-answer";
import { UploadError } from "./upload-error";

/** What `POST /api/storage/upload/direct` answers. */
interface Direct {
  parts: { method: string; url: string; headers: Record<string, string>; size: number }[];
  complete: { method: string; url: string; receipt: string };
}

/** An upload on its way, with the store's answers to the parts that it has. */
interface Begun extends Direct {
  answers: (string | undefined)[];
}

/** Parts of one file that are sent at the same time. */
const parallel = 3;

/** By upload URL: an attempt after a failed one sends only the parts that are missing. */
const begun = new Map<string, Begun>();

/**
 * Sends a file straight to the blob store, in parts that go side by side, each again when its connection is lost.
 * `null` when the store takes files only through the app.
 */
export async function uploadDirectly(request: UploadRequest): Promise<{ storageId: string } | null> {
  const { url, signal } = request;
  const started = begun.get(url) ?? (await start(request));
  if (!started || "storageId" in started) return started;
  begun.set(url, started);
  try {
    await sendParts(started, request);
    const { method, url: path, receipt } = started.complete;
    const body = JSON.stringify({ receipt, answers: started.answers });
    const completeUrl = new URL(path, url).href;
    const answer = await retryWhenLost(() => send({ method, url: completeUrl, body, signal }), signal);
    const uploaded = readStorageId(answer);
    begun.delete(url);
    return uploaded;
  } catch (error) {
    // Refused, or canceled: what was sent is of no use. Otherwise it is, to the next attempt.
    const passing = error instanceof UploadError && ["ConnectionLost", "StorageUnavailable"].includes(error.code);
    if (!passing) begun.delete(url);
    throw error;
  }
}

async function start({ url, file, signal }: UploadRequest): Promise<Begun | { storageId: string } | null> {
  const body = JSON.stringify({ size: file.size, contentType: file.type });
  const answer = await send({ method: "POST", url: url.replace("?", "/direct?"), body, signal });
  if (answer.status !== 200) return readStorageId(answer);
  const { direct } = parseAnswer(answer.text) as { direct: Direct | null };
  return direct && { ...direct, answers: direct.parts.map(() => undefined) };
}

async function sendParts({ parts, answers }: Begun, { file, onProgress, signal: canceled }: UploadRequest) {
  const failed = new AbortController();
  const signal = anySignal(canceled, failed.signal);
  const starts = parts.map((_, index) => parts.slice(0, index).reduce((sum, { size }) => sum + size, 0));
  const sent = parts.map(({ size }, index) => (answers[index] === undefined ? 0 : size));
  const progress = (index: number, bytes: number) => {
    sent[index] = bytes;
    onProgress?.(sent.reduce((sum, bytes) => sum + bytes, 0));
  };
  const missing = parts.map((part, index) => ({ ...part, index })).filter(({ index }) => answers[index] === undefined);
  const sendNext = async (): Promise<void> => {
    const part = missing.shift();
    if (!part) return;
    const { index, size } = part;
    const body = file.slice(starts[index], (starts[index] ?? 0) + size);
    const onPartProgress = (bytes: number) => progress(index, bytes);
    // A part that the store refuses counts as sent: whether the upload is whole is found out when it is completed.
    const { text } = await retryWhenLost(() => send({ ...part, body, onProgress: onPartProgress, signal }), signal);
    answers[index] = text;
    progress(index, size);
    await sendNext();
  };
  try {
    await Promise.all(Array.from({ length: parallel }, sendNext));
  } catch (error) {
    failed.abort(error);
    throw error;
  }
}
