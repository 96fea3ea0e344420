import { processWide } from "../../process/process-wide";

/** The first and the last byte, both included, as in HTTP. */
export interface ByteRange {
  start: number;
  end: number;
}

export type Chunk = Uint8Array<ArrayBuffer>;

/**
 * A store of blobs. Keys are UUIDs that the kit makes, never text from a user. A key is written once. A missing blob is never
 * an error.
 * @throws StorageUnavailableError from every method when the store is broken
 */
export interface BlobDriver {
  /**
   * Writes the bytes. When it resolves, they survive a power cut. When it rejects, or the process crashes, `get` does not find
   * the key, and `delete` removes what was written. An error that `body` throws is thrown unchanged.
   * @param contentType for stores that serve blobs themselves
   * @param size in bytes, when it is known in advance
   * @throws StorageFullError when there is no room
   */
  put(key: string, body: AsyncIterable<Chunk>, contentType?: string | null, size?: number): Promise<void>;
  /** Returns the bytes, or a range that lies within the blob, or `null` when there is no such blob. */
  get(key: string, range?: ByteRange): Promise<ReadableStream<Chunk> | null>;
  /** Returns a small blob of this many bytes at once. Only for stores where that takes less time than a stream. */
  getWhole?(key: string, size: number): Promise<Chunk | null>;
  /** The blob as one of Node's own Blobs, which others can have as a part. Only for stores on a disk. */
  getNative?(key: string, contentType: string): Promise<Blob | null>;
  /** Whether `head` reads from this machine, which costs next to nothing. */
  isLocal?: boolean;
  /** Returns the size in bytes, and the SHA-256 as lower-case hex if the store has verified one. `null` without a blob. */
  head(key: string): Promise<{ size: number; sha256?: string } | null>;
  /** Takes uploads that arrive in several requests. */
  append: Appends;
  /** Deletes the blob, and what an interrupted `put` or unfinished appends left of it. */
  delete(key: string): Promise<void>;
  /** Lists all whole blobs, in any order. A blob that is written or deleted meanwhile may be in the list or not. */
  list(): AsyncIterable<{ key: string; size: number }>;
  /** Resolves when the store answers. */
  check(): Promise<void>;
  /** The size of the volume and its free space, in bytes. Only for stores on a volume. */
  space?(): Promise<{ total: number; free: number }>;
  /** For stores that take bytes directly from the client. */
  direct?: DirectUploads;
  /**
   * Returns a URL at which the store itself serves the blob until `expires`, or `null` when it cannot serve it with these headers.
   * @param headers of the response
   */
  signUrl?(key: string, headers: ServedHeaders, expires: Date): Promise<string | null>;
}

interface ServedHeaders {
  contentType: string | null;
  /** For example `attachment; filename="a.txt"`. */
  disposition: string;
  cacheControl: string;
}

/**
 * Writes a blob in several requests, which may reach different processes. The caller ensures that only one writes at a time.
 */
export interface Appends {
  /**
   * Continues after `progress.offset` bytes. Bytes that an earlier request wrote after them are overwritten.
   * @param newAside lists and returns the key of another blob, which keeps bytes that the store cannot take yet
   */
  open(key: string, file: AppendedFile, progress: Progress, newAside: () => Promise<string>): Promise<Appender>;
  /** Makes the blob when all bytes are durable. It may be called several times. */
  complete(key: string, file: AppendedFile, progress: Progress): Promise<void>;
}

interface AppendedFile {
  /** Bytes of the whole file; at least one. */
  size: number;
  contentType: string | null;
}

/** When a method has thrown, `sync` and `end` leave out the bytes that may be lost, or throw again. */
export interface Appender {
  write(chunk: Chunk): Promise<void>;
  /** Waits until bytes are durable, and returns how many. A store that takes parts leaves out the part that is not full. */
  sync(): Promise<Progress>;
  /** Like `sync`, for all bytes. No write follows it. */
  end(): Promise<Progress>;
  /** Releases what `open` acquired. May be called at any time. */
  close(): Promise<void>;
}

/** How far an upload in several requests has come. It is plain JSON. */
export interface Progress {
  /** Bytes that survive a power cut. */
  offset: number;
  /** For stores that take parts: the parts that it has. */
  begun?: BegunParts;
  /** The key of the blob with the last bytes, which are less than a part. */
  aside?: string;
  /** The store that the bytes are in: see two-stores.ts. */
  store?: string;
}

export interface BegunParts {
  /** The store's name for the upload. */
  uploadId: string;
  /** The store's entity tags of the parts, in their order. */
  tags: string[];
}

/** Uploads whose bytes go from the client straight to the store. `delete` also removes unfinished ones. */
export interface DirectUploads {
  /**
   * Begins an upload. Returns the store's name for it, or `undefined` when the file is sent with one request. Absent when
   * this store only continues uploads that have begun.
   */
  begin?(key: string, file: DirectFile): Promise<string | undefined>;
  /**
   * Signs requests with which the client may send parts: only for this key, and only until `expires`. They may be sent in any
   * order, in parallel, and again. Later requests for the same parts may be signed, too.
   * @param numbers of the parts, which count from 1: see `sizesOfParts`
   */
  sign(key: string, upload: DirectUpload, numbers: number[], expires: Date): Promise<PartRequest[]>;
  /** The numbers of the parts that the store has received. Absent when the store cannot list them. */
  sent?(key: string, upload: DirectUpload): Promise<number[]>;
  /**
   * Makes a blob of the bytes that were sent, or says which parts are missing. It may be called several times.
   * @param answers the bodies of the store's answers to the parts
   */
  complete(key: string, upload: DirectUpload, answers: string[]): Promise<DirectResult | { missing: number[] }>;
}

/** What the client announces. */
export interface DirectFile {
  /** Bytes; at least one. */
  size: number;
  contentType: string | null;
  /** Lower-case hex. */
  sha256?: string;
}

/** An upload that has begun. */
export interface DirectUpload extends DirectFile {
  /** The store's name for an upload in parts. */
  uploadId?: string;
}

/** A request with which the client sends a part. Its body is the bytes of the part. */
export interface PartRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  size: number;
}

export interface DirectResult {
  /** Bytes. */
  size: number;
  /** Set only if the store lets the client choose the type. */
  contentType?: string;
  /** Lower-case hex. Only if the store has verified it. */
  sha256?: string;
}

export const StorageFullError = processWide(
  "StorageFullError",
  () =>
    class StorageFullError extends Error {
      override name = "StorageFullError";
    },
);

/** The store does not answer, or refuses a request. `cause` says why. */
export class StorageUnavailableError extends Error {
  override name = "StorageUnavailableError";
}

/** Calls a store. An error names the operation. */
export async function calling<T>(operation: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new StorageUnavailableError(`The blob store failed to ${operation}`, { cause });
  }
}

/** Whether a name in a store is the key of a blob. A bucket may hold other objects, too. */
export const isKey = (name: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(name);

/** Returns the key. Throws unless it is a UUID, which is safe in a path and in a URL. */
export function checkedKey(key: string): string {
  if (!isKey(key)) {
    throw new Error(`Not a blob key: ${JSON.stringify(key)}`);
  }
  return key;
}
