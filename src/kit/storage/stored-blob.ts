import { inspect } from "node:util";
import type { BlobDriver, Chunk } from "./drivers/driver";

interface Source {
  blobKey: string;
  size: bigint;
  contentType: string | null;
}

/** For files of this size and larger, Node.js 20 reports a wrong size for a Blob of a file. */
const nativeBytes = 2 ** 32;

/**
 * Returns a stored file as a `Blob`. On a disk it is one of Node's own, so that other Blobs and forms can have it as a part. Its
 * methods are those of `StoredBlob`, which are faster, and whose errors say what happened.
 */
export async function openStoredBlob(driver: BlobDriver, source: Source): Promise<Blob> {
  const stored = new StoredBlob(driver, source);
  const native = stored.size < nativeBytes ? await driver.getNative?.(source.blobKey, stored.type) : null;
  return native ? withMethodsOf(stored, native) : stored;
}

function withMethodsOf(stored: Blob, native: Blob): Blob {
  const methods = {
    stream: () => stored.stream(),
    arrayBuffer: () => stored.arrayBuffer(),
    bytes: () => stored.bytes(),
    text: () => stored.text(),
    slice: (start = 0, end = stored.size, type = "") => {
      // Node.js crashes when it slices the Blob of a file at a fraction or at NaN.
      const [from, to] = [clamp(start, stored.size), clamp(end, stored.size)];
      const part = Blob.prototype.slice.call(native, from, Math.max(from, to), type);
      return withMethodsOf(stored.slice(from, to, type), part);
    },
  };
  return Object.assign(native, methods);
}

/**
 * A stored file as a `Blob`, whose bytes are read only when `stream()`, `text()` or a similar method is called. It does not
 * extend `Blob`, because then Node would use the empty inner blob of the superclass in other Blobs and in forms.
 */
export class StoredBlob implements Blob {
  readonly #driver: BlobDriver;
  readonly #source: Source;
  readonly #start: number;
  readonly size: number;
  readonly type: string;

  /** @param start the first byte @param size in bytes */
  constructor(
    driver: BlobDriver,
    source: Source,
    start = 0,
    size = Number(source.size),
    type = source.contentType ?? "",
  ) {
    this.#driver = driver;
    this.#source = source;
    this.#start = start;
    this.size = size;
    this.type = type.toLowerCase();
  }

  stream(): ReadableStream<Chunk> {
    let reader: Promise<ReadableStreamDefaultReader<Chunk>> | undefined;
    return new ReadableStream({
      type: "bytes",
      pull: async (controller) => {
        reader ??= this.#open();
        const { done, value } = await (await reader).read();
        if (!done) return controller.enqueue(value);
        controller.close();
        // A read with its own buffer waits for this response.
        controller.byobRequest?.respond(0);
      },
      cancel: async (reason) => (await reader)?.cancel(reason),
    });
  }

  async #open(): Promise<ReadableStreamDefaultReader<Chunk>> {
    const range = { start: this.#start, end: this.#start + this.size - 1 };
    const bytes = this.size === 0 ? new Blob().stream() : await this.#driver.get(this.#source.blobKey, range);
    if (!bytes) throw new Error("The file was deleted before its bytes were read");
    return bytes.getReader();
  }

  slice(start = 0, end = this.size, type = ""): Blob {
    const from = clamp(start, this.size);
    const size = Math.max(0, clamp(end, this.size) - from);
    return new StoredBlob(this.#driver, this.#source, this.#start + from, size, type);
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return new Response(this.stream()).arrayBuffer();
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await this.arrayBuffer());
  }

  text(): Promise<string> {
    return new Response(this.stream()).text();
  }

  /** Blobs and forms call this for parts that they do not recognize. */
  toString(): never {
    throw new TypeError(
      "A stored file is read when you ask for its bytes, so this Blob cannot be part of a Blob, File, FormData or text. Send it " +
        "in a form with multipartBody of ~/kit/server, or read it into memory with await file.arrayBuffer().",
    );
  }

  [inspect.custom](): string {
    return `Blob { size: ${this.size}, type: ${inspect(this.type)} }`;
  }
}

Object.setPrototypeOf(StoredBlob.prototype, Blob.prototype);

/** Reads an argument as `Array.prototype.slice` does: negative numbers count from the end. */
function clamp(index: number, size: number): number {
  const whole = Math.trunc(index) || 0;
  return whole < 0 ? Math.max(0, size + whole) : Math.min(whole, size);
}
