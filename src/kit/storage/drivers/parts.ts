import { randomUUID } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limits } from "../../process/limits";
import { processWide } from "../../process/process-wide";
import { type Appends, type BegunParts, type BlobDriver, type Chunk, checkedKey, StorageFullError } from "./driver";

/** The bytes of a part. Parts of very large files are larger. */
export const partSize = 16 * 1024 * 1024;
/** The largest part. 10,000 parts that grow to this size make 5 TiB, the largest file of a store. */
const maxPartBytes = 1024 * 1024 * 1024;
/** The most parts that a store accepts for one upload. */
const maxParts = 10_000;

/**
 * The bytes of part `number`, which counts from 1. When the size of the file is known, all parts but the last have the same
 * size, which some stores require. Otherwise the size doubles after every 950 parts: then 5 TiB fit into 10,000 parts, and only
 * a file of more than 15 GB needs more memory than three parts of 16 MiB.
 */
export function sizeOfPart(number: number, fileSize?: number): number {
  if (fileSize !== undefined) return Math.max(partSize, Math.ceil(fileSize / maxParts));
  return Math.min(maxPartBytes, partSize * 2 ** Math.floor((number - 1) / 950));
}

/** Parts of one upload that are sent at the same time. */
const maxSending = 2;

/** Receives a body of unknown length: as a whole when it is small, otherwise in parts. */
interface Destination {
  putWhole(bytes: Buffer<ArrayBuffer>): Promise<void>;
  startParts(): Promise<PartsTarget>;
}

interface PartsTarget {
  /** @param number counts from 1 */
  putPart(number: number, bytes: Buffer<ArrayBuffer>): Promise<void>;
  complete(): Promise<void>;
}

export interface PartsUpload extends PartsTarget, BegunParts {}

/** Sends all of `body`, and completes the upload at its end. When it rejects, no part is still being sent. */
export async function sendInParts(
  body: AsyncIterable<Chunk>,
  destination: Destination,
  fileSize?: number,
): Promise<void> {
  const sending = new Set<Promise<void>>();
  let upload: PartsTarget | undefined;
  let number = 1;
  let part = new PartBuffer();

  async function sendPart(current: PartBuffer): Promise<void> {
    const started = upload ?? (await destination.startParts());
    upload = started;
    const partNumber = number++;
    const sent = current.send((bytes) => started.putPart(partNumber, bytes)).then(() => void sending.delete(sent));
    sending.add(sent);
    // It is awaited below. Until then its failure must not count as unhandled.
    sent.catch(() => undefined);
    if (sending.size >= maxSending) await Promise.race(sending);
  }

  try {
    for await (const chunk of body) {
      let rest = chunk;
      // A part is sent when another byte follows it, so that the last part is never empty.
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

/** The bytes of a part of an upload that arrives in several requests. No store takes smaller ones. */
const smallestPartBytes = 5 * 1024 * 1024;

interface AppendingStore extends Pick<BlobDriver, "put" | "get" | "head"> {
  /** Starts an upload in parts, or continues one. */
  openParts(key: string, contentType: string | null, begun?: BegunParts): Promise<PartsUpload>;
  /** The bytes of a part. Parts of very large files are larger. */
  partBytes?: number;
}

/**
 * Appends to an upload in parts. All parts except the last have the same size. Bytes that do not fill a part are kept aside,
 * in another blob.
 */
export function appendParts({ openParts, partBytes = smallestPartBytes, put, get, head }: AppendingStore): Appends {
  return {
    async open(key, file, progress, newAside) {
      checkedKey(key);
      const each = Math.max(partBytes, Math.ceil(file.size / maxParts));
      let upload: PartsUpload | undefined;
      let part = new PartBuffer();
      /** What the store has. */
      let reached = progress;
      let { offset } = progress;

      /** The store does not get the bytes that wait for it. The client sends them again. */
      async function lose(error: unknown): Promise<never> {
        await part.discard();
        part = new PartBuffer();
        offset = reached.offset;
        throw error;
      }

      async function sendPart(): Promise<void> {
        upload ??= await openParts(key, file.contentType, progress.begun);
        const { uploadId, tags, putPart } = upload;
        await part.send((bytes) => putPart(tags.length + 1, bytes)).catch(lose);
        part = new PartBuffer();
        reached = { offset: Math.min(tags.length * each, file.size), begun: { uploadId, tags: [...tags] } };
      }

      async function keepAside(): Promise<void> {
        const aside = await newAside();
        await part.send((bytes) => put(aside, chunksOf(bytes), null, bytes.byteLength)).catch(lose);
        part = new PartBuffer();
        reached = { offset, begun: reached.begun, aside };
      }

      try {
        const kept = progress.aside && (await get(progress.aside));
        if (kept) for await (const chunk of kept) await part.add(chunk);
        const found = (progress.begun?.tags.length ?? 0) * each + part.size;
        if (found !== offset) throw new Error(`Blob ${key} has ${found} bytes, not ${offset}`);
      } catch (error) {
        await part.discard();
        throw error;
      }

      return {
        async write(chunk) {
          let rest = chunk;
          while (rest.byteLength > 0) {
            const piece = rest.subarray(0, each - part.size);
            await part.add(piece).catch(lose);
            offset += piece.byteLength;
            rest = rest.subarray(piece.byteLength);
            if (part.size === each) await sendPart();
          }
        },
        sync: async () => reached,
        async end() {
          if (offset === reached.offset) return reached;
          if (offset === file.size) await sendPart();
          else await keepAside();
          return reached;
        },
        close: () => part.discard(),
      };
    },

    async complete(key, file, progress) {
      const upload = await openParts(key, file.contentType, progress.begun);
      await upload.complete().catch(async (error) => {
        // An earlier call may have completed it.
        if ((await head(key))?.size !== file.size) throw error;
      });
    },
  };
}

async function* chunksOf(bytes: Buffer<ArrayBuffer>) {
  yield bytes;
}

/** The sizes of the parts in which a client sends a file: at most a thousand, all but the last alike. */
export function sizesOfParts({ size, uploadId }: { size: number; uploadId?: string }): number[] {
  const each = uploadId === undefined ? size : Math.max(partSize, Math.ceil(size / 1000));
  return Array.from({ length: Math.ceil(size / each) }, (_, index) => Math.min(each, size - index * each));
}

/** Memory is allocated in blocks of this size, so that a sender of single bytes takes no more than one block. */
const blockBytes = 64 * 1024;

/** The memory and the files that all parts in this process use. */
const held = processWide("parts of uploads", () => ({
  /** Bytes in memory of parts that are received, and of parts that are sent. */
  receiving: 0,
  sending: 0,
  /** Bytes in temporary files. */
  inFiles: 0,
  /** Continues parts that wait to be sent, oldest first. */
  waiting: [] as (() => void)[],
}));

/** One half of the memory is for parts that are received, the other for parts that are sent. */
const half = () => limits.partBufferBytes / 2;

/**
 * One part of an upload, while it is received and sent. It is in memory if all parts together leave room for it, otherwise in
 * a temporary file: many slow senders must not fill the memory.
 */
class PartBuffer {
  size = 0;
  private readonly blocks: Buffer[] = [];
  /** Bytes in use of the last block. */
  private filled = blockBytes;
  private file: FileHandle | undefined;
  private inFile = 0;

  /** @throws StorageFullError when the disk has no room either */
  async add(chunk: Chunk): Promise<void> {
    let rest = chunk;
    while (rest.byteLength > 0 && !this.file) {
      if (this.filled === blockBytes && !this.addBlock()) break;
      const piece = rest.subarray(0, blockBytes - this.filled);
      this.blocks.at(-1)?.set(piece, this.filled);
      this.filled += piece.byteLength;
      rest = rest.subarray(piece.byteLength);
    }
    if (rest.byteLength > 0) await this.addToFile(rest);
    this.size += chunk.byteLength;
  }

  /** Waits until there is memory to send the part, passes its bytes to `use`, and frees them. */
  async send<R>(use: (bytes: Buffer<ArrayBuffer>) => Promise<R>): Promise<R> {
    const { size } = this;
    while (held.sending > 0 && held.sending + size > half()) await new Promise<void>((go) => held.waiting.push(go));
    held.sending += size;
    try {
      const bytes = await this.read().finally(() => this.discard());
      return await use(bytes);
    } finally {
      held.sending -= size;
      for (const go of held.waiting.splice(0)) go();
    }
  }

  /** Frees the bytes. May be called again. */
  async discard(): Promise<void> {
    held.receiving -= this.blocks.length * blockBytes;
    this.blocks.length = 0;
    held.inFiles -= this.inFile;
    this.inFile = 0;
    const { file } = this;
    this.file = undefined;
    await file?.close();
  }

  private addBlock(): boolean {
    if (held.receiving + blockBytes > half()) return false;
    held.receiving += blockBytes;
    this.blocks.push(Buffer.allocUnsafeSlow(blockBytes));
    this.filled = 0;
    return true;
  }

  private async addToFile(bytes: Chunk): Promise<void> {
    if (held.inFiles + bytes.byteLength > limits.partFileBytes) {
      throw new StorageFullError(`Parts of uploads have ${limits.partFileBytes} bytes in temporary files already`);
    }
    held.inFiles += bytes.byteLength;
    this.inFile += bytes.byteLength;
    try {
      this.file ??= await temporaryFile();
      await this.file.writeFile(bytes);
    } catch (cause) {
      throw new StorageFullError(`Cannot keep a part of an upload in ${tmpdir()}`, { cause });
    }
  }

  private async read(): Promise<Buffer<ArrayBuffer>> {
    const bytes = Buffer.allocUnsafeSlow(this.size);
    let offset = 0;
    for (const block of this.blocks) offset += block.copy(bytes, offset);
    // The last block may be only partly in use.
    offset = this.size - this.inFile;
    while (this.file && offset < this.size) {
      const position = offset - (this.size - this.inFile);
      const { bytesRead } = await this.file.read(bytes, offset, this.size - offset, position);
      if (bytesRead === 0) throw new Error("A temporary file lost bytes of an upload");
      offset += bytesRead;
    }
    return bytes;
  }
}

/** Opens a file without a name, which disappears with the process, however it ends. */
async function temporaryFile(): Promise<FileHandle> {
  const path = join(tmpdir(), `upload-part-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  await rm(path);
  return file;
}
