import type { IncomingMessage } from "node:http";

/** Bytes of one piece. */
const pieceSize = 256 * 1024;

/** Milliseconds that the first bytes of a piece wait for more. */
const patience = 10;

/**
 * The body of a request, which breaks off when the client does. Node hands over 64 KiB at most; several go on as one
 * piece, since a chunk costs more on its way through streams and generators than the copying does.
 */
export function nodeRequestBody(req: IncomingMessage): ReadableStream<Uint8Array> {
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
