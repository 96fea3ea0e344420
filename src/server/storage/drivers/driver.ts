/** First and last byte, both included, as in HTTP. */
export interface ByteRange {
  start: number;
  end: number;
}

export type Chunk = Uint8Array<ArrayBuffer>;

/**
 * A place for bytes. Keys are the kit's own ids (`[0-9a-f-]`), never anything a user wrote. A key is written once.
 * Every method throws when the store is broken; a missing blob is never an error.
 */
export interface BlobDriver {
  /**
   * Writes the bytes; when it resolves they survive a power cut. When it rejects, or the process dies on the way, `get`
   * does not find the key, and `delete` removes whatever is there.
   * @throws StorageFullError when there is no room
   */
  put(key: string, body: AsyncIterable<Chunk>): Promise<void>;
  /** The bytes, or a range of them that lies within the blob; `null` when there is no such blob. */
  get(key: string, range?: ByteRange): Promise<ReadableStream<Chunk> | null>;
  /** The size in bytes, or `null`. */
  head(key: string): Promise<{ size: number } | null>;
  /** Removes the blob and what an interrupted `put` left of it. */
  delete(key: string): Promise<void>;
}

export class StorageFullError extends Error {
  override name = "StorageFullError";
}
