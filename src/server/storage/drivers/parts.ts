import type { Chunk } from "./driver";

/** Bytes of a part; every part but the last has just as many, which some stores insist on. */
export const partSize = 16 * 1024 * 1024;

/** Parts being sent while the next is collected: with it, the memory that one upload takes. */
const parallel = 2;

/** Where a body of unknown length goes: at once when it is small, else part by part. */
export interface Destination {
  putWhole(bytes: Buffer): Promise<void>;
  startParts(): Promise<PartsUpload>;
}

export interface PartsUpload {
  /** @param number counts from 1 */
  putPart(number: number, bytes: Buffer): Promise<void>;
  complete(): Promise<void>;
}

/** Sends all of `body`; nothing is completed before its end. When it rejects, no part is still on its way. */
export async function sendInParts(body: AsyncIterable<Chunk>, destination: Destination): Promise<void> {
  const sending = new Set<Promise<void>>();
  let upload: PartsUpload | undefined;
  let number = 0;
  try {
    for await (const { bytes, isLast } of inParts(body)) {
      if (isLast && !upload) return await destination.putWhole(bytes);
      upload ??= await destination.startParts();
      number += 1;
      const part = upload.putPart(number, bytes).then(() => void sending.delete(part));
      sending.add(part);
      // Awaited below; until then its failure must not count as unhandled.
      part.catch(() => undefined);
      if (sending.size >= parallel) await Promise.race(sending);
    }
    await Promise.all(sending);
    await upload?.complete();
  } finally {
    await Promise.allSettled(sending);
  }
}

/** Cuts the body into parts. The last has at least one byte, unless the body has none. */
async function* inParts(body: AsyncIterable<Chunk>): AsyncGenerator<{ bytes: Buffer; isLast: boolean }> {
  let chunks: Chunk[] = [];
  let room = partSize;
  for await (const chunk of body) {
    let rest = chunk;
    while (rest.byteLength > room) {
      chunks.push(rest.subarray(0, room));
      yield { bytes: Buffer.concat(chunks), isLast: false };
      rest = rest.subarray(room);
      chunks = [];
      room = partSize;
    }
    chunks.push(rest);
    room -= rest.byteLength;
  }
  yield { bytes: Buffer.concat(chunks), isLast: true };
}

/** The sizes of the parts in which a file of known size is sent: at most a thousand, all but the last alike. */
export function sizesOfParts(size: number): number[] {
  const each = Math.max(partSize, Math.ceil(size / 1000));
  return Array.from({ length: Math.ceil(size / each) }, (_, index) => Math.min(each, size - index * each));
}
