import type { ServerResponse } from "node:http";
import { limits } from "../process/limits";
import { processWide } from "../process/process-wide";

/** Bytes of one read of a long body, while few are being sent. */
const largestPiece = 512 * 1024;
const smallestPiece = 16 * 1024;

const bodies = processWide("long bodies", () => ({ open: 0 }));

/** Bytes of the next read. Shrinks as more bodies are open, so that all of them stay near `limits.responseBufferBytes`. */
const pieceSize = () =>
  Math.max(smallestPiece, Math.min(largestPiece, Math.floor(limits.responseBufferBytes / (2 * (bodies.open + 1)))));

/**
 * Sends the body. One piece is read while the one before is being sent, those of a long body in two buffers that take
 * turns: new ones for each piece would cost as much as reading it, and fill the memory until they are collected.
 */
export async function sendBody({ headers, body }: Response, res: ServerResponse): Promise<void> {
  if (res.destroyed) return body?.cancel();
  const announced = headers.get("content-length");
  if (!body || announced === "0") return void res.end();
  // Short messages. Next.js compresses them, and its compression never tells when a piece is sent.
  if (announced === null) return void res.end(Buffer.from(await new Response(body).arrayBuffer()));
  let rest = Number(announced);
  const isLong = rest > pieceSize();
  const reader: Reader = isLong ? readerInto(body) : body.getReader();
  const newBuffer = () => new Uint8Array(isLong ? pieceSize() : 0);
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
      next = reader.read(spare && spare.byteLength <= pieceSize() ? spare : newBuffer());
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
