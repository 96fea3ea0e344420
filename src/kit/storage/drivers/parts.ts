import { randomUUID } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limits } from "../../process/limits";
import { processWide } from "../../process/process-wide";
import { type Chunk, StorageFullError } from "./driver";

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
interface Destination {
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

/** Bytes that memory is taken by: whoever sends one byte at a time takes no more than one of these. */
const blockSize = 64 * 1024;

/** What all parts of this process hold. */
const held = processWide("parts of uploads", () => ({
  /** Bytes in memory that came in, and that go out. */
  coming: 0,
  going: 0,
  /** Bytes in temporary files. */
  filed: 0,
  /** Parts that wait to go out, the longest waiting first. */
  waiting: [] as (() => void)[],
}));

/** Half of the memory is for parts that come in, half for those that go out. */
const half = () => limits.partBufferBytes / 2;

/**
 * One part of an upload, while it comes in and goes out. It is in memory while all parts together have room there, else
 * in a temporary file: senders decide how slowly parts come, and many slow ones must not fill the memory.
 */
class PartBuffer {
  size = 0;
  private readonly blocks: Buffer[] = [];
  /** Bytes of the last block in use. */
  private filled = blockSize;
  private file: FileHandle | undefined;
  private filed = 0;

  /** @throws StorageFullError when there is no room on the disk either */
  async add(chunk: Chunk): Promise<void> {
    let rest = chunk;
    while (rest.byteLength > 0 && !this.file) {
      if (this.filled === blockSize && !this.addBlock()) break;
      const piece = rest.subarray(0, blockSize - this.filled);
      this.blocks.at(-1)?.set(piece, this.filled);
      this.filled += piece.byteLength;
      rest = rest.subarray(piece.byteLength);
    }
    if (rest.byteLength > 0) await this.addToFile(rest);
    this.size += chunk.byteLength;
  }

  /** Has `use` send the bytes, once there is memory for them to go out, and lets go of them. */
  async send<R>(use: (bytes: Buffer) => Promise<R>): Promise<R> {
    const { size } = this;
    while (held.going > 0 && held.going + size > half()) await new Promise<void>((go) => held.waiting.push(go));
    held.going += size;
    try {
      const bytes = await this.read();
      await this.discard();
      return await use(bytes);
    } finally {
      held.going -= size;
      for (const go of held.waiting.splice(0)) go();
    }
  }

  /** Lets go of the bytes. May be called again. */
  async discard(): Promise<void> {
    held.coming -= this.blocks.length * blockSize;
    this.blocks.length = 0;
    held.filed -= this.filed;
    this.filed = 0;
    const { file } = this;
    this.file = undefined;
    await file?.close();
  }

  private addBlock(): boolean {
    if (held.coming + blockSize > half()) return false;
    held.coming += blockSize;
    this.blocks.push(Buffer.allocUnsafeSlow(blockSize));
    this.filled = 0;
    return true;
  }

  private async addToFile(bytes: Chunk): Promise<void> {
    if (held.filed + bytes.byteLength > limits.partFileBytes) {
      throw new StorageFullError(`Parts of uploads have ${limits.partFileBytes} bytes in temporary files already`);
    }
    held.filed += bytes.byteLength;
    this.filed += bytes.byteLength;
    try {
      this.file ??= await temporaryFile();
      await this.file.writeFile(bytes);
    } catch (cause) {
      throw new StorageFullError(`Cannot keep a part of an upload in ${tmpdir()}`, { cause });
    }
  }

  private async read(): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(this.size);
    let offset = 0;
    for (const block of this.blocks) offset += block.copy(bytes, offset);
    // The last block may be in use in part only.
    offset = this.size - this.filed;
    while (this.file && offset < this.size) {
      const position = offset - (this.size - this.filed);
      const { bytesRead } = await this.file.read(bytes, offset, this.size - offset, position);
      if (bytesRead === 0) throw new Error("A temporary file lost bytes of an upload");
      offset += bytesRead;
    }
    return bytes;
  }
}

/** A file without a name: it is gone when the process is, however it ends. */
async function temporaryFile(): Promise<FileHandle> {
  const path = join(tmpdir(), `upload-part-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  await rm(path);
  return file;
}
