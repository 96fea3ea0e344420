import type { IncomingMessage, ServerResponse } from "node:http";
import { withRequestId } from "../log/scope";
import { limits } from "../process/limits";
import { processWide } from "../process/process-wide";

/** Milliseconds that a client may go on sending what nobody reads. */
const lingering = 30_000;

/**
 * Serves Node's own request with a `Request → Response` handler. The endpoints that carry bytes are bound this way,
 * since App Router handlers cannot send `Content-Length` (docs/decisions/003).
 */
export function toNodeHandler(handle: (request: Request) => Promise<Response>) {
  const handled = withRequestId(handle);
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const response = await handled(toRequest(req));
    const rest = req.readableEnded ? undefined : discardRest(req);
    // A connection that closes with its answer would be reset by what the client still sends, and the answer lost.
    if (!res.shouldKeepAlive && response.status !== 408) await rest;
    res.statusCode = response.status;
    res.setHeaders(response.headers);
    await sendBody(response, res);
    void rest?.then(() => req.complete || req.destroy());
  };
}

function toRequest(req: IncomingMessage): Request {
  const headers = new Headers();
  for (const [name, values] of Object.entries(req.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  // There are no `Request`s of TRACE; handlers refuse what they do not know.
  const method = req.method === "TRACE" ? "UNKNOWN" : (req.method ?? "GET");
  const hasBody = method !== "GET" && method !== "HEAD";
  const body = hasBody ? nodeRequestBody(req) : null;
  // RFC 9112 §3.2.2: a target may have an authority. It is of no meaning: handlers read the path and the query.
  const target = (req.url ?? "").replace(/^https?:\/\/[^/?]*/i, "");
  const url = new URL(`http://localhost${target.startsWith("/") ? target : "/"}`);
  return new Request(url, { method, headers, body, ...(body && { duplex: "half" }) });
}

/** Lets the client send the rest of its body, for a while: cut off at once, browsers would not see the answer. */
async function discardRest(req: IncomingMessage): Promise<void> {
  req.resume();
  if (req.complete || req.destroyed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, lingering).unref();
    req.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Bytes of one piece. */
const pieceSize = 256 * 1024;

/** Milliseconds that the first bytes of a piece wait for more. */
const patience = 10;

/**
 * The body of a request, which breaks off when the client does. Node hands over 64 KiB at most; several go on as one
 * piece, since a chunk costs more on its way through streams and generators than the copying does.
 */
function nodeRequestBody(req: IncomingMessage): ReadableStream<Uint8Array> {
  let controller: ReadableStreamDefaultController<Uint8Array>;
  let chunks: Buffer[] = [];
  let size = 0;
  let timer: NodeJS.Timeout | undefined;

  const listen = () => {
    // Nothing would tell us any more.
    if (req.destroyed) return fail(new Error("The client went away"));
    // Not before somebody reads: a body that is refused flows past, unseen.
    if (req.listenerCount("data") === 0) req.on("data", take).on("end", finish).on("error", fail);
    req.resume();
  };
  const take = (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size >= pieceSize) pass();
    else timer ??= setTimeout(pass, patience);
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

/** Bytes of one read of a long body, while few are being sent. */
const largestPiece = 512 * 1024;
const smallestPiece = 16 * 1024;

const bodies = processWide("long bodies", () => ({ open: 0 }));

/** Bytes of the next read. Shrinks as more bodies are open, so that all of them stay near `limits.responseBufferBytes`. */
const sentPieceSize = () =>
  Math.max(smallestPiece, Math.min(largestPiece, Math.floor(limits.responseBufferBytes / (2 * (bodies.open + 1)))));

/**
 * Sends the body. One piece is read while the one before is being sent, those of a long body in two buffers that take
 * turns: new ones for each piece would cost as much as reading it, and fill the memory until they are collected.
 */
async function sendBody({ headers, body }: Response, res: ServerResponse): Promise<void> {
  if (res.destroyed) return body?.cancel();
  const announced = headers.get("content-length");
  if (!body || announced === "0") return void res.end();
  // Short messages. Next.js compresses them, and its compression never tells when a piece is sent.
  if (announced === null) return void res.end(Buffer.from(await new Response(body).arrayBuffer()));
  let rest = Number(announced);
  const isLong = rest > sentPieceSize();
  const reader: Reader = isLong ? readerInto(body) : body.getReader();
  const newBuffer = () => new Uint8Array(isLong ? sentPieceSize() : 0);
  bodies.open += 1;
  // Node may drop what is written to a connection that is just ending, and never say so.
  let sent: (_?: unknown) => void = () => undefined;
  res.once("close", () => {
    reader.cancel().catch(() => undefined);
    sent();
  });
  try {
    let next = reader.read(newBuffer());
    let spare: Bytes | undefined;
    for (;;) {
      const { done, value } = await next;
      if (res.destroyed) break;
      rest -= value?.byteLength ?? 0;
      if (done || rest < 0) throw new Error(`The body is not of the ${announced} bytes announced`);
      if (rest === 0) return void res.end(value);
      next = reader.read(spare && spare.byteLength <= sentPieceSize() ? spare : newBuffer());
      next.catch(() => undefined); // awaited when this piece is sent
      await new Promise((resolve) => {
        sent = resolve;
        res.write(value, sent);
      });
      spare = new Uint8Array(value.buffer);
    }
  } catch (error) {
    // The status is out: breaking the connection is what tells the client that the body is not whole.
    console.error("Broke off an answer:", error);
    res.destroy();
  } finally {
    bodies.open -= 1;
    // It may not be at its end.
    reader.cancel().catch(() => undefined);
  }
}

type Bytes = Uint8Array<ArrayBuffer>;
interface Reader {
  read(buffer: Bytes): Promise<ReadableStreamReadResult<Bytes>>;
  cancel(): Promise<void>;
}

/** Reads into given buffers where the stream can, as the disk's does; others bring their own. */
function readerInto(body: ReadableStream<Bytes>): Reader {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return body.getReader();
  }
}
