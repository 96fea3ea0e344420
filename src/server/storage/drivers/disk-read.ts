import type { FileHandle } from "node:fs/promises";
import type { ByteRange, Chunk } from "./driver";

/** Bytes of one read, unless the reader brings a buffer of another size. */
const pieceSize = 256 * 1024;

/** The file's bytes, or a range of them, as a byte stream that closes the file at its end. */
export async function readPieces(file: FileHandle, range?: ByteRange): Promise<ReadableStream<Chunk>> {
  let position = range?.start ?? 0;
  const end = range ? range.end + 1 : (await file.stat()).size;
  if (position === end) {
    await file.close();
    return new Blob().stream();
  }
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: Math.min(pieceSize, end - position),
    async pull(controller) {
      const request = controller.byobRequest;
      if (!request?.view) throw new TypeError("A byte stream was read without a buffer");
      try {
        const { buffer, byteOffset, byteLength } = request.view;
        const piece = new Uint8Array(buffer, byteOffset, Math.min(byteLength, end - position));
        const { bytesRead } = await file.read(piece, 0, piece.byteLength, position);
        if (bytesRead === 0) throw new Error(`Blob ends at byte ${position}, not at ${end}`);
        position += bytesRead;
        request.respond(bytesRead);
        if (position < end) return;
        await file.close();
        controller.close();
        // A read that is waiting by now is answered only so.
        controller.byobRequest?.respond(0);
      } catch (error) {
        await file.close();
        throw error;
      }
    },
    cancel: () => file.close(),
  });
}
