import type { FileHandle } from "node:fs/promises";
import type { ByteRange, Chunk } from "./driver";

/** Bytes of one read. The stream keeps one piece ready while the one before is being sent. */
const pieceSize = 512 * 1024;

/** The file's bytes, or a range of them, as a stream that closes the file at its end. */
export function readPieces(file: FileHandle, range?: ByteRange): ReadableStream<Chunk> {
  let position = range?.start ?? 0;
  const end = range ? range.end + 1 : Number.POSITIVE_INFINITY;
  return new ReadableStream({
    async pull(controller) {
      try {
        const size = Math.min(pieceSize, end - position);
        const { bytesRead, buffer } = await file.read(new Uint8Array(size), 0, size, position);
        position += bytesRead;
        if (bytesRead > 0) controller.enqueue(buffer.subarray(0, bytesRead));
        else if (range && position < end) throw new Error(`Blob ends at byte ${position}, before the end of the range`);
        if (bytesRead === 0 || position === end) {
          await file.close();
          controller.close();
        }
      } catch (error) {
        await file.close();
        throw error;
      }
    },
    cancel: () => file.close(),
  });
}
