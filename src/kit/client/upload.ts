import type { Id } from "../database/ids";

interface UploadRequest {
  /** The result of `generateUploadUrl`. It accepts one file. A failed attempt may be repeated with it. */
  url: string;
  file: File;
  /** Receives the number of bytes sent so far, out of `file.size`. */
  onProgress?: (sent: number) => void;
  signal?: AbortSignal;
  /** Leaves EXIF and GPS out of a JPEG: see `UploadOptions`. Default: false. */
  stripMetadata?: boolean;
}

/** Every host accepts this much in one request, which is the fastest way. Larger files may go to the store directly. */
const smallFileBytes = 4_000_000;

/**
 * Sends a file to an upload URL and resolves with its storage id.
 *
 * Rejects with an `UploadError`, or with the signal's reason when aborted. After a lost connection, call it again with the
 * same URL: if the file did arrive, the server repeats its answer.
 */
export async function uploadFile(given: UploadRequest): Promise<{ storageId: Id<"_storage"> }> {
  const request = given.stripMetadata ? { ...given, file: await stripped(given.file) } : given;
  const { url, file, onProgress, signal } = request;
  const direct = file.size > smallFileBytes ? await uploadDirectly(request) : null;
  // The browser sends `file.type` as the Content-Type, and no Content-Type for a file of unknown type.
  return direct ?? readStorageId(await send({ method: "POST", url, body: file, onProgress, signal }));
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

/** An upload that has begun, with the store's answers to the parts that it has received. */
interface Begun extends Direct {
  answers: (string | undefined)[];
}

/** How many parts of one file are sent at the same time. */
const parallel = 3;

/** By upload URL. A retry sends only the parts that are missing. */
const begun = new Map<string, Begun>();

/**
 * Sends a file directly to the blob store, in parallel parts, and retries each part after a lost connection. Returns `null`
 * when the store accepts files only through the app.
 */
async function uploadDirectly(request: UploadRequest): Promise<{ storageId: Id<"_storage"> } | null> {
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
    // After a refusal or a cancellation the parts are useless. After a lost connection the next attempt uses them.
    const passing = error instanceof UploadError && ["ConnectionLost", "StorageUnavailable"].includes(error.code);
    if (!passing) begun.delete(url);
    throw error;
  }
}

async function start({ url, file, signal }: UploadRequest): Promise<Begun | { storageId: Id<"_storage"> } | null> {
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
    // A part that the store refuses counts as sent, because completing the upload checks that it is whole.
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

interface SendRequest {
  method: string;
  url: string;
  headers?: Record<string, string>;
  body: Blob | string;
  /** Receives the number of bytes of the body sent so far. */
  onProgress?: (sent: number) => void;
  signal?: AbortSignal;
}

/**
 * Sends a request with XMLHttpRequest, because `fetch` reports no upload progress.
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

/** The wait before each retry. It ends early when the browser comes online again. */
const waitsMs = [500, 1_000, 2_000, 5_000, 10_000, 20_000];

/** Retries after a lost connection, a 5xx status and 429. Returns the last answer, or throws the last error. */
async function retryWhenLost<T extends { status: number }>(
  attempt: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (const wait of waitsMs) {
    const answer = await attempt().catch((error) => {
      if (error instanceof UploadError && error.code === "ConnectionLost") return null;
      throw error;
    });
    if (answer && answer.status < 500 && answer.status !== 429) return answer;
    await pause(wait, signal);
  }
  return attempt();
}

/** Resolves early when the browser comes online. Rejects with the signal's reason when aborted. */
function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal?.removeEventListener("abort", done);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(done, milliseconds);
    window.addEventListener("online", done);
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
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

/** Returns the storage id in an answer of the upload endpoints. Throws an `UploadError` for any other answer. */
function readStorageId({ status, text }: { status: number; text: string }): { storageId: Id<"_storage"> } {
  const { storageId, code } = parseAnswer(text);
  if (typeof storageId === "string" && (status === 200 || code === "StorageTokenUsed")) return { storageId };
  throw explainAnswer(status, typeof code === "string" ? code : undefined);
}

/** Returns the fields of the endpoint's JSON, or no fields for the HTML page of a proxy. */
function parseAnswer(text: string): Record<string, unknown> {
  if (!text.startsWith("{")) return {};
  return JSON.parse(text);
}

/** Why a file was not uploaded. `message` is written for the person who chose the file. */
export class UploadError extends Error {
  /** A code of the upload endpoint, or one of the client's own: `ConnectionLost`, `Refused`, `NotSaved`. */
  readonly code: string;
  /** Whether the same file can succeed when it is tried again. */
  readonly retryable: boolean;

  constructor(code: string, message: string, { retryable, cause }: { retryable: boolean; cause?: unknown }) {
    super(message, { cause });
    this.name = "UploadError";
    this.code = code;
    this.retryable = retryable;
  }
}

const final = { retryable: false };
const passing = { retryable: true };

const explanations = new Map([
  ["FileTooLarge", { ...final, message: "This file is too large. Choose a smaller one." }],
  ["ContentTypeNotAllowed", { ...final, message: "Files of this type are not accepted here." }],
  ["BadQueryArgs", { ...passing, message: "The upload link was incomplete. Try again." }],
  ["StorageTokenInvalid", { ...passing, message: "The upload link was not accepted. Try again." }],
  ["StorageTokenExpired", { ...passing, message: "The upload link has expired. Try again." }],
  ["Sha256Mismatch", { ...passing, message: "The file was damaged on its way. Try again." }],
  ["IncompleteBody", { ...passing, message: "The connection broke off. Try again." }],
  ["RequestTimeout", { ...passing, message: "The connection was too slow. Try again." }],
  ["ConnectionLost", { ...passing, message: "The connection was lost. Check your network, then try again." }],
  ["StorageFull", { ...passing, message: "The server has no space left. Try again later." }],
  ["StorageUnavailable", { ...passing, message: "The storage cannot be reached right now. Try again in a moment." }],
]);

/** The codes with which an upload URL will never work again. */
export const deadUrlCodes = ["BadQueryArgs", "StorageTokenInvalid", "StorageTokenExpired"];

/** Returns the error for an answer of the upload endpoint, or of a proxy in front of it, which answers without a `code`. */
export function explainAnswer(status: number, code = status === 413 ? "FileTooLarge" : `Http${status}`): UploadError {
  const explanation = explanations.get(code);
  if (explanation) return new UploadError(code, explanation.message, explanation);
  return new UploadError(code, "The server could not take the file. Try again.", passing);
}

function connectionLost(): UploadError {
  return explainAnswer(0, "ConnectionLost");
}
