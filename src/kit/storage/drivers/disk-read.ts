import { closeSync, fstat, open, read } from "node:fs";
import { promisify } from "node:util";
import type { ByteRange, Chunk } from "./driver";

/** Bytes read with the opening: most files end within them, and are closed again before they are sent. */
const smallSize = 64 * 1024;
/** Bytes of one read, unless the reader brings a buffer of another size. */
const pieceSize = 256 * 1024;

// Descriptors, since `FileHandle`s would take a tenth more of a small file's whole request.
const [openFile, readFile, statFile] = [promisify(open), promisify(read), promisify(fstat)];

/** The file's bytes, or a range of them, as a byte stream that closes the file at its end. */
export async function readPieces(path: string, range?: ByteRange): Promise<ReadableStream<Chunk>> {
  const fd = await openFile(path, "r");
  try {
    const start = range?.start ?? 0;
    const small = new Uint8Array(range ? Math.min(smallSize, range.end + 1 - start) : smallSize);
    const { bytesRead } = await readFile(fd, small, 0, small.byteLength, start);
    const isWhole = !range && bytesRead < smallSize;
    const end = range ? range.end + 1 : isWhole ? bytesRead : (await statFile(fd)).size;
    if (start + bytesRead < end) return piecesOf(fd, start, end);
    closeSync(fd);
    return onePiece(small.subarray(0, bytesRead));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function onePiece(piece: Chunk): ReadableStream<Chunk> {
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      if (piece.byteLength > 0) controller.enqueue(piece);
      controller.close();
    },
  });
}

function piecesOf(fd: number, start: number, end: number): ReadableStream<Chunk> {
  let position = start;
  let reading: Promise<void> = Promise.resolve();
  let isOpen = true;
  // Once, and not while a read is under way: the number may be another file's by then.
  const close = () => {
    if (isOpen) closeSync(fd);
    isOpen = false;
  };

  async function fill(controller: ReadableByteStreamController): Promise<void> {
    const request = controller.byobRequest;
    if (!request?.view) throw new TypeError("A byte stream was read without a buffer");
    const { buffer, byteOffset, byteLength } = request.view;
    const piece = new Uint8Array(buffer, byteOffset, Math.min(byteLength, end - position));
    const { bytesRead } = await readFile(fd, piece, 0, piece.byteLength, position);
    if (bytesRead === 0) throw new Error(`Blob ends at byte ${position}, not at ${end}`);
    position += bytesRead;
    request.respond(bytesRead);
    if (position < end) return;
    close();
    controller.close();
    // A read that is waiting by now is answered only so.
    controller.byobRequest?.respond(0);
  }

  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: pieceSize,
    pull(controller) {
      reading = fill(controller).catch((error) => {
        close();
        throw error;
      });
      return reading;
    },
    cancel: () => reading.then(close, close),
  });
}
