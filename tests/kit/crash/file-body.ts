import { createHash, randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "./random";

type Bytes = Uint8Array<ArrayBuffer>;

const pieceSize = 64 * 1024;
/** Random bytes from which the files are cut. */
const stock = randomBytes(4 * 1024 * 1024);

/** One of ten is empty, one of ten has up to `maxSize` bytes (at most 2 MiB), the others up to 8 KiB. */
export function makeBody(random: Random, maxSize: number): Bytes {
  const kind = random.below(10);
  const size = kind === 0 ? 0 : random.below(kind === 1 ? maxSize : 8 * 1024);
  const start = random.below(stock.byteLength / 2);
  return new Uint8Array(stock.subarray(start, start + size));
}

export const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** The bytes in pieces with pauses, as over a slow line. One that breaks off sends half of them. */
export function slowly(bytes: Bytes, random: Random, breaksOff: boolean): ReadableStream<Bytes> {
  const end = breaksOff ? bytes.byteLength / 2 : bytes.byteLength;
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      if (sent >= end) return breaksOff ? controller.error(new Error("The client went away")) : controller.close();
      await pause(random.below(80));
      controller.enqueue(bytes.subarray(sent, sent + pieceSize));
      sent += pieceSize;
    },
  });
}
