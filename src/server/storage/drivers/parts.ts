import type { Chunk } from "./driver";

/** Bytes of a part of all but the largest files. */
export const partSize = 16 * 1024 * 1024;
/** Bytes of the largest part: 10,000 that grow to it are the 5 TiB that a store takes at most. */
const largestPart = 1024 * 1024 * 1024;
/** How many parts an upload has at most. */
const mostParts = 10_000;

/**
 * The bytes of part `number`, counted from 1. Where the size of the file is known all parts but the last are alike, which
 * some stores insist on. Where it is not, they double with every 950: 5 TiB fit into 10,000, and a file takes more
 * memory than three parts of 16 MiB only from 15 GB on.
 */
export function sizeOfPart(number: number, fileSize?: number): number {
  if (fileSize !== undefined) return Math.max(partSize, Math.ceil(fileSize / mostParts));
  return Math.min(largestPart, partSize * 2 ** Math.floor((number - 1) / 950));
}

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
export async function sendInParts(
  body: AsyncIterable<Chunk>,
  destination: Destination,
  fileSize?: number,
): Promise<void> {
  const sending = new Set<Promise<void>>();
  let upload: PartsUpload | undefined;
  let number = 0;
  try {
    for await (const { bytes, isLast } of inParts(body, fileSize)) {
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
async function* inParts(
  body: AsyncIterable<Chunk>,
  fileSize?: number,
): AsyncGenerator<{ bytes: Buffer; isLast: boolean }> {
  let chunks: Chunk[] = [];
  let number = 1;
  let room = sizeOfPart(number, fileSize);
  for await (const chunk of body) {
    let rest = chunk;
    while (rest.byteLength > room) {
      chunks.push(rest.subarray(0, room));
      yield { bytes: Buffer.concat(chunks), isLast: false };
      rest = rest.subarray(room);
      chunks = [];
      room = sizeOfPart(++number, fileSize);
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
