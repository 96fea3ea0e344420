import type { Chunk } from "./driver";
import { PartBuffer } from "./part-buffer";

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

/** Parts being sent while the next is collected. */
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
  let number = 1;
  let part = new PartBuffer();

  async function sendPart(current: PartBuffer): Promise<void> {
    const started = upload ?? (await destination.startParts());
    upload = started;
    const partNumber = number++;
    const sent = current.send((bytes) => started.putPart(partNumber, bytes)).then(() => void sending.delete(sent));
    sending.add(sent);
    // Awaited below; until then its failure must not count as unhandled.
    sent.catch(() => undefined);
    if (sending.size >= parallel) await Promise.race(sending);
  }

  try {
    for await (const chunk of body) {
      let rest = chunk;
      // A part goes out when a byte follows it: the last is never empty.
      for (let room = roomIn(); rest.byteLength > room; room = roomIn()) {
        await part.add(rest.subarray(0, room));
        rest = rest.subarray(room);
        await sendPart(part);
        part = new PartBuffer();
      }
      await part.add(rest);
    }
    if (!upload) return await part.send((bytes) => destination.putWhole(bytes));
    await sendPart(part);
    await Promise.all(sending);
    await upload.complete();
  } finally {
    await Promise.allSettled(sending);
    await part.discard();
  }

  function roomIn(): number {
    return sizeOfPart(number, fileSize) - part.size;
  }
}

/** The sizes of the parts in which a file of known size is sent: at most a thousand, all but the last alike. */
export function sizesOfParts(size: number): number[] {
  const each = Math.max(partSize, Math.ceil(size / 1000));
  return Array.from({ length: Math.ceil(size / each) }, (_, index) => Math.min(each, size - index * each));
}
