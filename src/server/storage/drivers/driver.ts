/** First and last byte, both included, as in HTTP. */
export interface ByteRange {
  start: number;
  end: number;
}

export type Chunk = Uint8Array<ArrayBuffer>;

/**
 * A place for bytes. Keys are the kit's own ids (`[0-9a-f-]`), never anything a user wrote. A key is written once.
 * A missing blob is never an error.
 * @throws StorageUnavailableError from every method when the store is broken
 */
export interface BlobDriver {
  /**
   * Writes the bytes; when it resolves they survive a power cut. When it rejects, or the process dies on the way, `get`
   * does not find the key, and `delete` removes whatever is there. What `body` throws comes out as it is.
   * @throws StorageFullError when there is no room
   */
  put(key: string, body: AsyncIterable<Chunk>): Promise<void>;
  /** The bytes, or a range of them that lies within the blob; `null` when there is no such blob. */
  get(key: string, range?: ByteRange): Promise<ReadableStream<Chunk> | null>;
  /** The size in bytes, or `null`. */
  head(key: string): Promise<{ size: number } | null>;
  /** Removes the blob and what an interrupted `put` left of it. */
  delete(key: string): Promise<void>;
  /** Resolves when the store answers. */
  check(): Promise<void>;
}

export class StorageFullError extends Error {
  override name = "StorageFullError";
}

/** The store cannot be reached, or refuses us; `cause` says why. */
export class StorageUnavailableError extends Error {
  override name = "StorageUnavailableError";
}

/** Runs a call of a store's client; names it when it fails. */
export async function calling<T>(operation: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new StorageUnavailableError(`The blob store failed to ${operation}`, { cause });
  }
}

/** The key, which is a UUID of ours: as a path or in a URL it means nothing else. */
export function checkedKey(key: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(key)) {
    throw new Error(`Not a blob key: ${JSON.stringify(key)}`);
  }
  return key;
}
