import type { BlobDriver, Chunk } from "./drivers/driver";

interface Source {
  blobKey: string;
  size: bigint;
  contentType: string | null;
}

/** A file of the blob store as a `Blob`: nothing is read before `stream()`, `text()` and the like are called. */
export class StoredBlob extends Blob {
  readonly #driver: BlobDriver;
  readonly #source: Source;
  readonly #start: number;
  readonly #end: number;
  readonly #type: string;

  /** @param start first byte @param end the byte after the last */
  constructor(
    driver: BlobDriver,
    source: Source,
    start = 0,
    end = Number(source.size),
    type = source.contentType ?? "",
  ) {
    super();
    this.#driver = driver;
    this.#source = source;
    this.#start = start;
    this.#end = end;
    this.#type = type;
  }

  override get size(): number {
    return this.#end - this.#start;
  }

  override get type(): string {
    return this.#type.toLowerCase();
  }

  override stream(): ReadableStream<Chunk> {
    const open = async () => {
      const range = { start: this.#start, end: this.#end - 1 };
      const bytes = this.size === 0 ? new Blob().stream() : await this.#driver.get(this.#source.blobKey, range);
      if (!bytes) throw new Error("The file was deleted before its bytes were read");
      return bytes.getReader();
    };
    let reader: ReturnType<typeof open> | undefined;
    return new ReadableStream({
      async pull(controller) {
        reader ??= open();
        const { done, value } = await (await reader).read();
        if (done) controller.close();
        else controller.enqueue(value as Chunk);
      },
      cancel: async (reason) => (await reader)?.cancel(reason),
    });
  }

  override slice(start = 0, end = this.size, type = ""): Blob {
    const from = this.#start + clamp(start, this.size);
    const to = this.#start + clamp(end, this.size);
    return new StoredBlob(this.#driver, this.#source, from, Math.max(from, to), type);
  }

  override arrayBuffer(): Promise<ArrayBuffer> {
    return new Response(this.stream()).arrayBuffer();
  }

  override text(): Promise<string> {
    return new Response(this.stream()).text();
  }
}

/** As `Array.prototype.slice` reads its arguments: negative counts from the end. */
const clamp = (index: number, size: number) => (index < 0 ? Math.max(0, size + index) : Math.min(index, size));
