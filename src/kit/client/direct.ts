import { anySignal } from "./any-signal";
import {
  type Answer,
  createRetries,
  explainAnswer,
  orNull,
  parseAnswer,
  readStorageId,
  refuseChanged,
  send,
  UploadError,
  type Uploaded,
} from "./upload-request";

// Uploads that go from the browser straight to the blob store, in parallel parts: docs/protocol.md.

interface PartRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  size: number;
}

/** A direct upload that has begun. It is plain JSON. */
export interface Begun {
  complete: { method: string; url: string; receipt: string };
  /** The bytes of all parts but the last. */
  partBytes: number;
  /** The store's answers to the parts that it has, by their numbers, which count from 1. */
  answers: Record<number, string>;
}

interface DirectRequest {
  url: string;
  file: File;
  /** Lower-case hex. */
  sha256?: string;
  onProgress?: (sent: number) => void;
  signal?: AbortSignal;
  begun?: Begun | null;
  onBegun?: (begun: Begun | null) => void;
  onNotice?: (notice: string) => void;
}

/** How many parts of one file are sent at the same time. */
const parallel = 3;

/** How many parts are signed at once. Signatures may expire after an hour, together with the credentials that signed. */
const batch = 20;

/** How often the store may refuse one part. Each time its request is signed again. */
const maxRefusals = 3;

/** How often parts that the store has lost are sent again. */
const maxRounds = 3;

/** Uploads that have begun, by their URL. A retry sends only the parts that are missing. */
const begun = new Map<string, Begun>();

/**
 * Whether this page has already sent bytes to the store. If so, a lost connection does not mean that the store is
 * unreachable.
 */
let hasReachedStore = false;

/** When this browser cannot send to the store, all files go through the app for this long. */
const detourMs = 10 * 60_000;
let detourUntil = 0;

class StoreUnreachable extends Error {}

/** The app has closed the upload: it is complete, or too old. */
class UploadClosed extends Error {
  constructor(readonly answer: Answer) {
    super();
  }
}

/**
 * Sends a file directly to the blob store, and retries each part after a lost connection. Returns `null` when the file has to go
 * through the app: the store takes none directly, or this browser cannot reach it.
 */
export async function uploadDirectly(request: DirectRequest): Promise<Uploaded | null> {
  if (Date.now() < detourUntil) return null;
  const { url, signal } = request;
  const requests = new Map<number, PartRequest>();
  const earlier = begun.get(url) ?? request.begun ?? null;
  const started = earlier ?? (await begin(request, requests));
  if (!started || "storageId" in started) return started;
  begun.set(url, started);
  request.onBegun?.(started);
  try {
    const uploaded = await sendAll(started, requests, request);
    begun.delete(url);
    return uploaded;
  } catch (error) {
    if (error instanceof StoreUnreachable) {
      detourUntil = Date.now() + detourMs;
      begun.delete(url);
      const notice = await reportUnreachable(url, started, signal);
      if (notice !== null) request.onNotice?.(notice);
      return null;
    }
    if (error instanceof UploadClosed) {
      begun.delete(url);
      // If the upload ended without a file, its URL is still valid, and another upload begins with it.
      const isOver = parseAnswer(error.answer.text).code !== "StorageTokenUsed";
      if (isOver && earlier) return uploadDirectly({ ...request, begun: null });
      return readStorageId(error.answer);
    }
    if (!keepsParts(error) && !signal?.aborted) begun.delete(url);
    throw error;
  }
}

/** After a lost connection the next attempt uses the parts that have arrived. After a refusal they are useless. */
export const keepsParts = (error: unknown): boolean =>
  error instanceof UploadError && ["ConnectionLost", "StorageUnavailable"].includes(error.code);

async function begin(request: DirectRequest, requests: Map<number, PartRequest>): Promise<Begun | Uploaded | null> {
  const { url, file, sha256, signal } = request;
  const answer = await askApp(url, { size: file.size, contentType: file.type, sha256, firstParts: batch }, signal);
  if (answer.status !== 200) return readStorageId(answer);
  const { direct } = parseAnswer(answer.text) as { direct: (Omit<Begun, "answers"> & { parts: PartRequest[] }) | null };
  if (!direct) return null;
  for (const [index, part] of direct.parts.entries()) requests.set(index + 1, part);
  const { complete, partBytes } = direct;
  return { complete, partBytes, answers: {} };
}

/** Asks the app about an upload, at its URL for direct uploads. */
const askApp = (url: string, body: object, signal?: AbortSignal): Promise<Answer> =>
  createRetries(signal).until(() =>
    send({ method: "POST", url: url.replace("?", "/direct?"), body: JSON.stringify(body), signal, isRepeatable: true }),
  );

/** Tells the app that this browser cannot send to the store. Returns why, if the viewer is an administrator. */
async function reportUnreachable(url: string, { complete }: Begun, signal?: AbortSignal): Promise<string | null> {
  const answer = await askApp(url, { receipt: complete.receipt, unreachable: true }, signal);
  const { reason } = parseAnswer(answer.text);
  return typeof reason === "string" ? reason : null;
}

/** Sends the parts that are missing and completes the upload. Parts that the store has lost meanwhile are sent again. */
async function sendAll(started: Begun, requests: Map<number, PartRequest>, request: DirectRequest): Promise<Uploaded> {
  const { url, file, signal } = request;
  const { complete, partBytes, answers } = started;
  const numbers = Array.from({ length: Math.ceil(file.size / partBytes) }, (_, index) => index + 1);
  for (let round = 1; ; round++) {
    await sendParts(started, requests, request);
    const body = JSON.stringify({
      receipt: complete.receipt,
      answers: numbers.map((number) => answers[number] ?? ""),
    });
    const ask = () =>
      send({ method: complete.method, url: new URL(complete.url, url).href, body, signal, isRepeatable: true });
    const answer = await createRetries(signal).until(ask);
    const { missing } = parseAnswer(answer.text);
    if (!Array.isArray(missing) || round === maxRounds) return readStorageId(answer);
    for (const number of missing) delete answers[Number(number)];
    request.onBegun?.(started);
  }
}

async function sendParts(started: Begun, requests: Map<number, PartRequest>, request: DirectRequest): Promise<void> {
  const { url, file, onProgress, onBegun } = request;
  const { complete, partBytes, answers } = started;
  const failed = new AbortController();
  const signal = anySignal(request.signal, failed.signal);
  const blobOf = (number: number) => file.slice((number - 1) * partBytes, number * partBytes);
  const numbers = Array.from({ length: Math.ceil(file.size / partBytes) }, (_, index) => index + 1);
  const sent = new Map(numbers.map((number) => [number, number in answers ? blobOf(number).size : 0]));
  const progress = (number: number, bytes: number) => {
    sent.set(number, bytes);
    onProgress?.([...sent.values()].reduce((sum, each) => sum + each, 0));
  };
  const keep = (number: number, answer: string) => {
    answers[number] = answer;
    requests.delete(number);
    progress(number, blobOf(number).size);
    onBegun?.(started);
  };

  /** Gets signed requests for this part and the next ones. The answer may say that the store already has some of them. */
  async function sign(first: number): Promise<void> {
    const parts = numbers.filter((number) => number >= first && !(number in answers)).slice(0, batch);
    const answer = await askApp(url, { receipt: complete.receipt, parts }, signal);
    if (answer.status !== 200) throw new UploadClosed(answer);
    const signed = parseAnswer(answer.text) as { parts: (PartRequest & { number: number })[]; sent: number[] };
    for (const { number, ...part } of signed.parts) requests.set(number, part);
    for (const number of signed.sent) if (!(number in answers)) keep(number, "");
  }
  let signing: Promise<void> | null = null;
  const signOnce = (first: number) => {
    signing ??= sign(first).finally(() => {
      signing = null;
    });
    return signing;
  };

  async function sendPart(number: number): Promise<void> {
    const body = blobOf(number);
    let lost = 0;
    let began = false;
    for (let refusals = 0; ; ) {
      while (!requests.has(number) && !(number in answers)) await signOnce(number);
      const part = requests.get(number);
      if (!part || number in answers) return;
      const attempt = async () => {
        const onPart = (bytes: number) => {
          began ||= bytes > 0;
          progress(number, bytes);
        };
        const answer = await orNull(send({ ...part, body, onProgress: onPart, signal, isRepeatable: true }));
        if (answer) return answer;
        progress(number, 0);
        await refuseChanged(body);
        lost += 1;
        const isDoubtful = !hasReachedStore && !began && lost > 1;
        if (isDoubtful && (await isUnreachable(part.url, url, lost))) throw new StoreUnreachable();
        return null;
      };
      const answer = await createRetries(signal).until(attempt);
      hasReachedStore = true;
      if (answer.status < 300) return keep(number, answer.text);
      refusals += 1;
      if (refusals === maxRefusals) throw explainAnswer(answer.status, "StorageUnavailable");
      requests.delete(number);
    }
  }

  const missing = numbers.filter((number) => !(number in answers));
  const sendNext = async (): Promise<void> => {
    for (let number = missing.shift(); number !== undefined; number = missing.shift()) await sendPart(number);
  };
  try {
    await Promise.all(Array.from({ length: parallel }, sendNext));
  } catch (error) {
    failed.abort(error);
    throw error;
  }
}

/**
 * Whether this browser reaches the app but cannot send to the store. A store that answers, but has not taken a byte, does not
 * allow this page to send. To a browser both look like a lost connection.
 * @param lost how often sending has failed
 */
async function isUnreachable(storeUrl: string, appUrl: string, lost: number): Promise<boolean> {
  const answers = (url: string, init: RequestInit) =>
    fetch(url, { ...init, signal: AbortSignal.timeout(5_000) }).then(
      () => true,
      () => false,
    );
  if (!(await answers(appUrl, { method: "OPTIONS" }))) return false;
  // A page may always send a request in this mode. It cannot read the answer.
  return (await answers(new URL(storeUrl).origin, { mode: "no-cors" })) || lost > 2;
}
