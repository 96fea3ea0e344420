import { processWide } from "../../process/process-wide";

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
   * @param contentType for stores that serve their blobs themselves
   * @param size in bytes, where it is known before
   * @throws StorageFullError when there is no room
   */
  put(key: string, body: AsyncIterable<Chunk>, contentType?: string | null, size?: number): Promise<void>;
  /** The bytes, or a range of them that lies within the blob; `null` when there is no such blob. */
  get(key: string, range?: ByteRange): Promise<ReadableStream<Chunk> | null>;
  /** Whether `head` asks this machine, so that it costs next to nothing. */
  isLocal?: boolean;
  /** The size in bytes, and the SHA-256 as lower-case hex where the store has verified one; or `null`. */
  head(key: string): Promise<{ size: number; sha256?: string } | null>;
  /** Removes the blob and what an interrupted `put` left of it. */
  delete(key: string): Promise<void>;
  /** Resolves when the store answers. */
  check(): Promise<void>;
  /** Bytes of the volume, where there is one: in all, and those that are free. */
  space?(): Promise<{ total: number; free: number }>;
  /** For stores that take bytes from the client itself. */
  direct?: DirectUploads;
  /**
   * A URL at which the store itself serves the blob, until `expires`; `null` when it cannot serve it so.
   * @param headers of the answer
   */
  signUrl?(key: string, headers: ServedHeaders, expires: Date): Promise<string | null>;
}

interface ServedHeaders {
  contentType: string | null;
  /** As `attachment; filename="a.txt"`. */
  disposition: string;
  cacheControl: string;
}

/** Uploads that do not pass through us. What they leave unfinished, `delete` removes too. */
export interface DirectUploads {
  /** Signs where the client may send the bytes: once, only to this key, and only until `expires`. */
  start(key: string, file: DirectFile, expires: Date): Promise<DirectTarget>;
  /**
   * Makes the blob of what was sent, however often it is called. `null` when there is nothing, or parts are missing.
   * @param answers the bodies of the store's answers to the parts
   */
  complete(key: string, upload: { uploadId?: string; size: number }, answers: string[]): Promise<DirectResult | null>;
}

/** As the client announces it. */
export interface DirectFile {
  /** Bytes; one at least. */
  size: number;
  contentType: string | null;
  /** Lower-case hex. */
  sha256?: string;
}

export interface DirectTarget {
  /** The store's name for an upload in parts. */
  uploadId?: string;
  /** Requests that may be sent in any order, side by side, and again; each has the next `size` bytes for its body. */
  parts: { method: string; url: string; headers: Record<string, string>; size: number }[];
}

export interface DirectResult {
  /** Bytes. */
  size: number;
  /** Where the store lets the client choose it. */
  contentType?: string;
  /** Lower-case hex, where the store has verified it. */
  sha256?: string;
}

export const StorageFullError = processWide(
  "StorageFullError",
  () =>
    class StorageFullError extends Error {
      override name = "StorageFullError";
    },
);

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
