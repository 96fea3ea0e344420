import type { Id } from "../database/ids";

// Requests of uploads, their errors, and when to send them again.

export interface Uploaded {
  storageId: Id<"_storage">;
}

interface SendRequest {
  method: string;
  url: string;
  headers?: Record<string, string>;
  body?: Blob | string;
  /** Receives the number of bytes of the body sent so far. */
  onProgress?: (sent: number) => void;
  signal?: AbortSignal;
  /**
   * Whether the request can be sent again without losing anything. Then it is given up when the browser comes online again,
   * or when the answer takes long.
   */
  isRepeatable?: boolean;
}

export interface Answer {
  status: number;
  text: string;
  header(name: string): string | null;
}

/** How long a body may stand still, and how long the answer to a repeatable request may take. */
const stallMs = 30_000;
const answerMs = 60_000;

/**
 * Sends a request with XMLHttpRequest, because `fetch` reports no upload progress.
 *
 * Rejects with an `UploadError` when no answer comes, or with the signal's reason when aborted.
 */
export function send(sending: SendRequest): Promise<Answer> {
  const { method, url, headers = {}, body, onProgress, signal, isRepeatable } = sending;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    const abort = () => request.abort();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const within = (milliseconds: number) => {
      clearTimeout(timer);
      timer = setTimeout(abort, milliseconds);
    };
    if (body !== undefined) within(stallMs);
    request.upload.addEventListener("progress", ({ loaded }) => {
      within(stallMs);
      onProgress?.(loaded);
    });
    request.upload.addEventListener("loadend", () => (isRepeatable ? within(answerMs) : clearTimeout(timer)));
    const header = (name: string) => request.getResponseHeader(name);
    request.addEventListener("load", () => resolve({ status: request.status, text: request.responseText, header }));
    request.addEventListener("error", () => reject(connectionLost()));
    request.addEventListener("abort", () => reject(signal?.aborted ? signal.reason : connectionLost()));
    request.addEventListener("loadend", () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      window.removeEventListener("online", abort);
    });
    signal?.addEventListener("abort", abort);
    if (isRepeatable) window.addEventListener("online", abort);
    request.send(body);
  });
}

/** The longest wait that the server may ask for. After a longer one a person decides. */
export const longestWaitMs = 5 * 60_000;

/** How long the server asks to wait before the next request, in milliseconds; 0 if it does not. */
const waitAskedBy = (answer: Answer | null) => 1000 * Number(answer?.header("Retry-After") ?? 0) || 0;

/** Waits, and without a network until there is one. Rejects with the signal's reason when aborted. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal?.removeEventListener("abort", done);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(() => navigator.onLine !== false && done(), milliseconds);
    window.addEventListener("online", done);
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
}

/** Returns the storage id in an answer of the upload endpoints. Throws an `UploadError` for any other answer. */
export function readStorageId(answer: Answer): Uploaded {
  const { status, text } = answer;
  const { storageId, code } = parseAnswer(text);
  if (typeof storageId === "string" && (status === 200 || code === "StorageTokenUsed")) {
    return { storageId: storageId as Id<"_storage"> };
  }
  throw explain(answer);
}

/** Returns the fields of the endpoint's JSON, or no fields for the HTML page of a proxy. */
export function parseAnswer(text: string): Record<string, unknown> {
  if (!text.startsWith("{")) return {};
  return JSON.parse(text);
}

/** Why a file was not uploaded. `message` is written for the person who chose the file. */
export class UploadError extends Error {
  /**
   * A code of the upload endpoint, or one of the client's own: `ConnectionLost`, `FileChanged`, `OtherTab`, `Refused`, `NotSaved`.
   */
  readonly code: string;
  /** Whether the same file can succeed when it is tried again. */
  readonly retryable: boolean;
  /** How long the server asked to wait before that, in milliseconds. */
  readonly retryAfterMs: number | null;

  constructor(code: string, message: string, given: { retryable: boolean; retryAfterMs?: number; cause?: unknown }) {
    super(message, { cause: given.cause });
    this.name = "UploadError";
    this.code = code;
    this.retryable = given.retryable;
    this.retryAfterMs = given.retryAfterMs || null;
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
  [
    "OtherTab",
    { ...passing, message: "Another tab uploads this file. Let it finish there, or close it and try again." },
  ],
  ["FileChanged", { ...final, message: "This file was changed, moved or deleted while it was sent. Choose it again." }],
  ["TooManyRequests", { ...passing, message: "Too much was sent from here. Try again later." }],
  ["ConnectionLost", { ...passing, message: "The connection was lost. Check your network, then try again." }],
  ["StorageFull", { ...passing, message: "The server has no space left. Try again later." }],
  ["StorageUnavailable", { ...passing, message: "The storage cannot be reached right now. Try again in a moment." }],
]);

/** The codes with which an upload URL will never work again. */
export const deadUrlCodes = ["BadQueryArgs", "StorageTokenInvalid", "StorageTokenExpired"];

/** Returns the error for an answer of the upload endpoint, or of a proxy in front of it, which answers without a `code`. */
export function explainAnswer(
  status: number,
  code = status === 413 ? "FileTooLarge" : `Http${status}`,
  retryAfterMs?: number,
): UploadError {
  const explanation = explanations.get(code) ?? {
    ...passing,
    message: "The server could not take the file. Try again.",
  };
  return new UploadError(code, explanation.message, { ...explanation, retryAfterMs });
}

const explain = (answer: Answer) => explainAnswer(answer.status, readCode(answer), waitAskedBy(answer));

export function connectionLost(): UploadError {
  return explainAnswer(0, "ConnectionLost");
}

/** The code of an error; `undefined` for the answer of a proxy. */
export function readCode({ text }: Answer): string | undefined {
  const { code } = parseAnswer(text);
  return typeof code === "string" ? code : undefined;
}

/** Resolves to `null` when the connection is lost, instead of rejecting. */
export async function orNull(sending: Promise<Answer | null>): Promise<Answer | null> {
  return sending.catch((error) => {
    if (error instanceof UploadError && error.code === "ConnectionLost") return null;
    throw error;
  });
}

/**
 * Reads a part of a file. Browsers refuse to read a file that was changed or deleted after it was chosen, and report it as a
 * lost connection when it is being sent.
 * @throws UploadError `FileChanged`
 */
export async function readPart(part: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(
    await part.arrayBuffer().catch((cause) => {
      throw new UploadError("FileChanged", explanations.get("FileChanged")?.message ?? "", { ...final, cause });
    }),
  );
}

const readBytes = 4 * 1024 * 1024;

/**
 * Finds out whether a changed file was the reason for a lost connection. Reads the whole part, because some of it may still
 * be readable.
 */
export async function refuseChanged(part: Blob): Promise<void> {
  for (let at = 0; at < part.size; at += readBytes) await readPart(part.slice(at, at + readBytes));
}

/** The wait before each retry. It ends early when the browser comes online again. */
const waitsMs = [500, 1_000, 2_000, 5_000, 10_000, 20_000];

/** Counts failures in a row, and waits longer after each. The time without a network does not count. */
export function createRetries(signal?: AbortSignal) {
  let failures = 0;

  /** @param answer `null` after a lost connection */
  async function wait(answer: Answer | null): Promise<void> {
    const askedMs = waitAskedBy(answer);
    if (answer && askedMs > longestWaitMs) throw explain(answer);
    // The server has said when to continue.
    if (answer && askedMs > 0 && [423, 429].includes(answer.status)) return pause(askedMs, signal);
    const waitMs = waitsMs[failures];
    failures += 1;
    if (waitMs === undefined) throw answer ? explain(answer) : connectionLost();
    await pause(Math.max(waitMs, askedMs), signal);
  }

  return {
    wait,
    reset() {
      failures = 0;
    },
    /** Repeats a request until it has an answer other than 423, 429 and 5xx. */
    async until(ask: () => Promise<Answer | null>): Promise<Answer> {
      for (;;) {
        const answer = await orNull(ask());
        if (answer && answer.status < 500 && ![423, 429].includes(answer.status)) return answer;
        await wait(answer);
      }
    },
  };
}

/** Over how many milliseconds the speed is measured. */
const speedMs = 3_000;

/** Returns a function that computes the speed of the last seconds, in bytes per second. */
export function createSpeedometer() {
  const points: { at: number; sent: number }[] = [];
  return (at: number, sent: number): number | null => {
    points.push({ at, sent });
    // When a connection breaks, bytes that did not arrive no longer count as sent.
    while (points[0] && (points[0].sent > sent || points[0].at < at - speedMs)) points.shift();
    const [first] = points;
    return first && at - first.at > 500 ? (1000 * (sent - first.sent)) / (at - first.at) : null;
  };
}
