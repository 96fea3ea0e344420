import type { IncomingMessage, ServerResponse } from "node:http";
import { withRequestId } from "../log/scope";
import { limits } from "../process/limits";
import { processWide } from "../process/process-wide";
import { compressed } from "./direct-routes";

/** How long a client may go on sending a body that is not read. */
const lingeringMs = 30_000;

/**
 * Makes a handler for Node.js requests of a `Request → Response` handler. The endpoints for files need this, because App
 * Router handlers cannot send `Content-Length` (docs/decisions/003).
 */
export function toNodeHandler(handle: (request: Request) => Promise<Response>) {
  const handled = withRequestId(handle);
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const response = await handled(new NodeRequest(req, res));
    const rest = req.readableEnded ? undefined : discardRest(req);
    res.statusCode = response.status;
    res.setHeaders(response.headers);
    // If the connection closed while the client still sends, it would be reset, and the client would lose the response.
    const mustWait = rest && !req.complete && !res.shouldKeepAlive && response.status !== 408;
    await (mustWait ? sendBefore(rest, response, res) : sendBody(response, res));
    void rest?.then(() => req.complete || req.destroy());
  };
}

/**
 * A request of Node.js. Its body and its signal are made when they are first used, because making them takes longer than all
 * else in a request that uses neither.
 */
class NodeRequest extends Request {
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  #body: ReadableStream<Chunk> | undefined;
  #gone: AbortController | undefined;

  constructor(req: IncomingMessage, res: ServerResponse) {
    const headers = new Headers();
    for (const [name, values] of Object.entries(req.headersDistinct)) {
      for (const value of values ?? []) headers.append(name, value);
    }
    // A `Request` cannot have the method TRACE. Handlers refuse methods that they do not know.
    const method = req.method === "TRACE" ? "UNKNOWN" : (req.method ?? "GET");
    // The target may include a host (RFC 9112 §3.2.2). Remove it, because handlers only read the path and the query.
    const target = (req.url ?? "").replace(/^https?:\/\/[^/?]*/i, "");
    super(`http://localhost${target.startsWith("/") ? target : "/"}`, { method, headers });
    this.#req = req;
    this.#res = res;
  }

  override get body(): ReadableStream<Chunk> | null {
    if (this.method === "GET" || this.method === "HEAD") return null;
    this.#body ??= nodeRequestBody(this.#req);
    return this.#body;
  }

  /** Aborted when the connection closes before the response is sent. */
  override get signal(): AbortSignal {
    if (this.#gone) return this.#gone.signal;
    const gone = new AbortController();
    this.#gone = gone;
    const check = () => this.#res.writableFinished || gone.abort();
    if (this.#res.closed) check();
    else this.#res.once("close", check);
    return gone.signal;
  }

  override json = () => this.#read().json();
  override text = () => this.#read().text();
  override blob = () => this.#read().blob();
  override formData = () => this.#read().formData();
  override arrayBuffer = () => this.#read().arrayBuffer();

  #read(): Response {
    return new Response(this.body, { headers: this.headers });
  }

  /** The whole body, if it has arrived and nothing has read it. It is then taken, and cannot be read in another way. */
  takeArrived(): Chunk | null {
    if (this.#body || !this.#req.complete || this.#req.destroyed) return null;
    const arrived: Chunk | null = this.#req.read();
    return arrived ?? new Uint8Array();
  }
}

type Chunk = Uint8Array<ArrayBuffer>;

const wholeBodies = new WeakMap<Response, Chunk>();

/** A response of these bytes. They are sent as they are, without the streams of a body. */
export function bytesResponse(bytes: Chunk, init: ResponseInit): Response {
  const response = new Response(bytes, init);
  wholeBodies.set(response, bytes);
  return response;
}

/**
 * The whole body of a request, if all of it has already arrived, as small bodies usually have. Takes the body. Returns
 * `null` when the body must be read as a stream.
 */
export const takeArrivedBody = (request: Request): Chunk | null =>
  request instanceof NodeRequest ? request.takeArrived() : null;

/** Sends a message at once, and ends it, which closes the connection, when the rest of the request has come. */
async function sendBefore(rest: Promise<void>, response: Response, res: ServerResponse): Promise<void> {
  const { headers } = response;
  if (headers.has("content-length") || headers.get("content-type") === "text/event-stream") {
    await rest;
    return sendBody(response, res);
  }
  const message = Buffer.from(await response.arrayBuffer());
  res.setHeader("Content-Length", message.length);
  res.flushHeaders();
  res.write(message);
  await rest;
  res.end();
}

/** Discards the rest of a body, for a while. Browsers do not see the response when the connection is cut while they send. */
async function discardRest(req: IncomingMessage): Promise<void> {
  req.resume();
  if (req.complete || req.destroyed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, lingeringMs).unref();
    req.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Bytes of one piece of a request body. */
const pieceSize = 256 * 1024;

/** How long the first bytes of a piece wait for more. */
const pieceWaitMs = 10;

/**
 * Returns the body of a request as a stream, which fails when the client disconnects. Node.js delivers chunks of at most
 * 64 KiB. They are joined to larger pieces, because passing a chunk through the streams costs more than copying it.
 */
function nodeRequestBody(req: IncomingMessage): ReadableStream<Chunk> {
  let controller: ReadableStreamDefaultController<Chunk>;
  let chunks: Buffer[] = [];
  let size = 0;
  let timer: NodeJS.Timeout | undefined;

  const listen = () => {
    // A destroyed request emits no further events.
    if (req.destroyed) return fail(new Error("The client went away."));
    // Listen only once the body is read. The body of a refused request is discarded without these listeners.
    if (req.listenerCount("data") === 0) req.on("data", take).on("end", finish).on("error", fail);
    req.resume();
  };
  const take = (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size >= pieceSize) pass();
    else timer ??= setTimeout(pass, pieceWaitMs);
  };
  const pass = () => {
    clearTimeout(timer);
    timer = undefined;
    req.pause();
    if (size > 0) controller.enqueue(Buffer.concat(chunks));
    chunks = [];
    size = 0;
  };
  const finish = () => {
    pass();
    controller.close();
  };
  const fail = (error: Error) => {
    stop();
    controller.error(error);
  };
  const stop = () => {
    clearTimeout(timer);
    req.off("data", take).off("end", finish);
  };

  return new ReadableStream(
    {
      start: (given) => {
        controller = given;
      },
      pull: listen,
      // `Readable.toWeb` would destroy the request, and with it the answer, when a handler stops reading.
      cancel: stop,
    },
    { highWaterMark: 0 },
  );
}

/** Bytes of one read of a long response, when few are being sent and when many are. */
const largestPiece = 512 * 1024;
const smallestPiece = 16 * 1024;

const bodies = processWide("long bodies", () => ({ open: 0 }));

/** Bytes of the next read. The more bodies are open the smaller it is, so that all take about `limits.responseBufferBytes`. */
const sentPieceSize = () =>
  Math.max(smallestPiece, Math.min(largestPiece, Math.floor(limits.responseBufferBytes / (2 * (bodies.open + 1)))));

/**
 * Sends the body. The next piece is read while one is being sent. A long body uses two buffers in turn, because allocating a
 * buffer for each piece would take as long as reading it, and memory would fill up between garbage collections.
 */
async function sendBody(response: Response, res: ServerResponse): Promise<void> {
  const { headers, body } = response;
  if (res.destroyed) return body?.cancel();
  if (body && headers.get("content-type") === "text/event-stream") return sendEvents(body, res);
  const announced = headers.get("content-length");
  if (!body || announced === "0") return void res.end();
  const whole = wholeBodies.get(response);
  if (whole && announced !== null) return void res.end(whole);
  // Without a length it is a short message. Next.js compresses it, and its compression never reports that a piece is sent.
  if (announced === null) {
    return void res.end(await compressed(whole ?? new Uint8Array(await response.arrayBuffer()), res));
  }
  let rest = Number(announced);
  const isLong = rest > sentPieceSize();
  const reader: Reader = isLong ? readerInto(body) : body.getReader();
  const newBuffer = () => new Uint8Array(isLong ? sentPieceSize() : 0);
  bodies.open += 1;
  // When the connection is just ending, Node.js may never call back for a write.
  let sent: (_?: unknown) => void = () => undefined;
  res.once("close", () => {
    reader.cancel().catch(() => undefined);
    sent();
  });
  try {
    let next = reader.read(newBuffer());
    let spare: Chunk | undefined;
    for (;;) {
      const { done, value } = await next;
      if (res.destroyed) break;
      rest -= value?.byteLength ?? 0;
      if (done || rest < 0) throw new Error(`The body does not have the announced ${announced} bytes.`);
      if (rest === 0) return void res.end(value);
      next = reader.read(spare && spare.byteLength <= sentPieceSize() ? spare : newBuffer());
      next.catch(() => undefined); // It is awaited after this piece is sent.
      await new Promise((resolve) => {
        sent = resolve;
        res.write(value, sent);
      });
      spare = new Uint8Array(value.buffer);
    }
  } catch (error) {
    // The status has been sent already. Only a broken connection tells the client that the body is incomplete.
    console.error("A response broke off:", error);
    res.destroy();
  } finally {
    bodies.open -= 1;
    // Cancel a body that was not read to its end.
    reader.cancel().catch(() => undefined);
  }
}

/** Sends each event when it comes. */
async function sendEvents(body: ReadableStream<Uint8Array>, res: ServerResponse): Promise<void> {
  const reader = body.getReader();
  let sent: (_?: unknown) => void = () => undefined;
  res.once("close", () => {
    reader.cancel().catch(() => undefined);
    sent();
  });
  res.flushHeaders();
  for (;;) {
    const { done, value } = await reader.read();
    if (res.destroyed) return;
    if (done) return void res.end();
    await new Promise((resolve) => {
      sent = resolve;
      res.write(value, sent);
    });
  }
}

interface Reader {
  read(buffer: Chunk): Promise<ReadableStreamReadResult<Chunk>>;
  cancel(): Promise<void>;
}

/** Reads into given buffers when the stream supports that, such as one from the disk. Other streams allocate their own. */
function readerInto(body: ReadableStream<Chunk>): Reader {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return body.getReader();
  }
}
