import type { FileHandle } from "node:fs/promises";
import type { Chunk } from "./driver";

/** Bytes collected for one write; the next are collected while one is written. */
const pieceSize = 256 * 1024;

/** Writes all of `body` to the file, with at most two pieces in memory. */
export async function writePieces(file: FileHandle, body: AsyncIterable<Chunk>): Promise<void> {
  let piece: Chunk[] = [];
  let size = 0;
  let writing: Promise<void> = Promise.resolve();
  try {
    for await (const chunk of body) {
      piece.push(chunk);
      size += chunk.byteLength;
      if (size < pieceSize) continue;
      await writing;
      writing = writeAll(file, piece);
      // Awaited before the next write; until then its failure must not count as unhandled.
      writing.catch(() => undefined);
      piece = [];
      size = 0;
    }
    await writing;
    await writeAll(file, piece);
  } finally {
    // The caller closes the file next.
    await writing.catch(() => undefined);
  }
}

/** One `writev` may write less than it was given. */
async function writeAll(file: FileHandle, chunks: Chunk[]): Promise<void> {
  let rest = chunks.filter((chunk) => chunk.byteLength > 0);
  while (rest.length > 0) {
    let { bytesWritten } = await file.writev(rest);
    rest = rest.flatMap((chunk) => {
      const written = Math.min(bytesWritten, chunk.byteLength);
      bytesWritten -= written;
      return written === chunk.byteLength ? [] : [chunk.subarray(written)];
    });
  }
}
