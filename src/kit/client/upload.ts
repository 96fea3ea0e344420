import { uploadInChunks } from "./resumable";
import {
  connectionLost,
  createRetries,
  orNull,
  parseAnswer,
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
  /** What `onBegun` received for this URL, perhaps on an earlier page. */
  begun?: Begun | null;
  /** Receives what a direct upload needs to continue, each time that it changes. `null` for an upload through the app. */
  onBegun?: (begun: Begun | null) => void;
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
    const direct = request.begun === null ? null : await uploadDirectly(request);
    if (direct) return direct;
    request.onBegun?.(null);
    return uploadInChunks(request);
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

/** The answer of `POST /api/storage/upload/direct`. */
interface Direct {
  parts: { method: string; url: string; headers: Record<string, string>; size: number }[];
  complete: { method: string; url: string; receipt: string };
}

/** A direct upload that has begun, with the store's answers to the parts that it has received. */
export interface Begun extends Direct {
  answers: (string | null)[];
}

/** How many parts of one file are sent at the same time. */
const parallel = 3;

/** By upload URL. A retry sends only the parts that are missing. */
const begun = new Map<string, Begun>();

/**
 * Sends a file directly to the blob store, in parallel parts, and retries each part after a lost connection. Returns `null`
 * when the store accepts files only through the app.
 */
async function uploadDirectly(request: UploadRequest): Promise<Uploaded | null> {
  const { url, signal } = request;
  const started = begun.get(url) ?? request.begun ?? (await start(request));
  if (!started || "storageId" in started) return started;
  begun.set(url, started);
  request.onBegun?.(started);
  try {
    await sendParts(started, request);
    const { method, url: path, receipt } = started.complete;
    const answers = started.answers.map((answer) => answer ?? "");
    const body = JSON.stringify({ receipt, answers });
    const completeUrl = new URL(path, url).href;
    const answer = await createRetries(signal).until(() => send({ method, url: completeUrl, body, signal }));
    const uploaded = readStorageId(answer);
    begun.delete(url);
    return uploaded;
  } catch (error) {
    // After a refusal the parts are useless. After a lost connection, or when it was paused, the next attempt uses them.
    const isPassing = error instanceof UploadError && ["ConnectionLost", "StorageUnavailable"].includes(error.code);
    if (!isPassing && !signal?.aborted) begun.delete(url);
    throw error;
  }
}

async function start({ url, file, signal }: UploadRequest): Promise<Begun | Uploaded | null> {
  const body = JSON.stringify({ size: file.size, contentType: file.type });
  const ask = () => send({ method: "POST", url: url.replace("?", "/direct?"), body, signal, isRepeatable: true });
  const answer = await createRetries(signal).until(ask);
  if (answer.status !== 200) return readStorageId(answer);
  const { direct } = parseAnswer(answer.text) as { direct: Direct | null };
  return direct && { ...direct, answers: direct.parts.map(() => null) };
}

async function sendParts(
  started: Begun,
  { file, onProgress, onBegun, signal: canceled }: UploadRequest,
): Promise<void> {
  const { parts, answers } = started;
  const failed = new AbortController();
  const signal = anySignal(canceled, failed.signal);
  const starts = parts.map((_, index) => parts.slice(0, index).reduce((sum, { size }) => sum + size, 0));
  const sent = parts.map(({ size }, index) => (answers[index] === null ? 0 : size));
  const progress = (index: number, bytes: number) => {
    sent[index] = bytes;
    onProgress?.(sent.reduce((sum, bytes) => sum + bytes, 0));
  };
  const missing = parts.map((part, index) => ({ ...part, index })).filter(({ index }) => answers[index] === null);
  const sendNext = async (): Promise<void> => {
    const part = missing.shift();
    if (!part) return;
    const { index, size } = part;
    const body = file.slice(starts[index], (starts[index] ?? 0) + size);
    const onPartProgress = (bytes: number) => progress(index, bytes);
    const ask = async () => {
      const answer = await orNull(send({ ...part, body, onProgress: onPartProgress, signal, isRepeatable: true }));
      if (!answer) await refuseChanged(body);
      return answer;
    };
    // A part that the store refuses counts as sent, because completing the upload checks that it is whole.
    answers[index] = (await createRetries(signal).until(ask)).text;
    progress(index, size);
    onBegun?.(started);
    await sendNext();
  };
  try {
    await Promise.all(Array.from({ length: parallel }, sendNext));
  } catch (error) {
    failed.abort(error);
    throw error;
  }
}

/**
 * Returns a signal that is aborted when the first of these is. `AbortSignal.any` does the same, but is missing in some of the
 * browsers that Next.js supports.
 */
export function anySignal(...signals: (AbortSignal | null | undefined)[]): AbortSignal {
  const any = new AbortController();
  for (const signal of signals) {
    if (!signal) continue;
    if (signal.aborted) any.abort(signal.reason);
    // All listeners are removed when the first signal is aborted.
    else signal.addEventListener("abort", () => any.abort(signal.reason), { once: true, signal: any.signal });
  }
  return any.signal;
}
