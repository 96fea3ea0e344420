import { closeSync, fstat, openAsBlob, open as openDescriptor, read } from "node:fs";
import { access, constants, type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import {
  type Appender,
  type BlobDriver,
  type ByteRange,
  type Chunk,
  calling,
  checkedKey,
  isKey,
  StorageFullError,
  StorageUnavailableError,
} from "./driver";
import { durableFolders, syncFolder, syncTogether } from "./durable-folders";

/**
 * Keeps blobs as files below `folder`, on one volume. A blob is written to `partial/` and then renamed to its place, so that
 * every file at its place is whole.
 */
export function diskDriver(folder: string): BlobDriver {
  const folders = durableFolders(folder);
  let space: { time: number; total: number; free: number } | undefined;

  async function remove(key: string): Promise<void> {
    await calling("delete a blob", async () => {
      await rm(asideOf(folder, key), { force: true });
      await rm(placeOf(folder, key), { force: true });
    });
  }

  return {
    isLocal: true,

    async put(key, body) {
      const aside = asideOf(folder, key);
      const place = placeOf(folder, key);
      try {
        const file = await within(folders, dirname(aside), () => open(aside, "wx", 0o600));
        try {
          await writePieces(file, body);
          await file.sync();
        } finally {
          await file.close();
        }
        await within(folders, dirname(place), () => rename(aside, place));
        await syncTogether(dirname(place));
      } catch (error) {
        // If this fails too, the first error matters more. Garbage collection deletes the files, because the blob is listed.
        await Promise.allSettled([aside, place].map((path) => rm(path, { force: true })));
        throw toStorageError(error);
      }
    },

    async get(key, range) {
      return calling("read a blob", () => readPieces(placeOf(folder, key), range).catch(nullWhenMissing));
    },

    async getWhole(key, size) {
      return calling("read a blob", () => readWhole(placeOf(folder, key), size).catch(nullWhenMissing));
    },

    async head(key) {
      const found = await calling("look for a blob", () => stat(placeOf(folder, key)).catch(nullWhenMissing));
      return found && { size: found.size };
    },

    async getNative(key, type) {
      return calling("read a blob", () => openAsBlob(placeOf(folder, key), { type }).catch(nullWhenMissing));
    },

    append: {
      async open(key, _file, { offset }) {
        const aside = asideOf(folder, key);
        // Later requests find the file. Were they to create it, an upload that `complete` has moved would become empty.
        const flags = constants.O_RDWR | (offset === 0 ? constants.O_CREAT : 0);
        const file = await calling("continue a blob", () =>
          within(folders, dirname(aside), () => open(aside, flags, 0o600)),
        );
        try {
          // If the process died before it recorded some bytes, the client sends them again.
          const { size } = await file.stat();
          if (size < offset)
            throw new StorageUnavailableError(`Blob ${key} has ${size} bytes on the disk, not ${offset}`);
          await file.truncate(offset);
          if (offset === 0) await syncFolder(dirname(aside));
          return appendTo(file, offset);
        } catch (error) {
          await file.close();
          throw toStorageError(error);
        }
      },

      async complete(key) {
        const place = placeOf(folder, key);
        await calling("complete a blob", async () => {
          await within(folders, dirname(place), () => rename(asideOf(folder, key), place)).catch(async (error) => {
            // An earlier call may already have moved the file.
            if (!isCode(error, "ENOENT") || !(await stat(place).catch(nullWhenMissing))) throw error;
          });
          await syncTogether(dirname(place));
        });
      },
    },

    delete: remove,

    async *list() {
      const blobs = join(folder, "blobs");
      for (const below of await calling("list blobs", () => readdir(blobs).catch(nullWhenMissing)).then(orNone)) {
        for (const key of await calling("list blobs", () => readdir(join(blobs, below)).catch(nullWhenMissing)).then(
          orNone,
        )) {
          if (!isKey(key)) continue;
          const found = await calling("look for a blob", () => stat(join(blobs, below, key)).catch(nullWhenMissing));
          if (found) yield { key, size: found.size };
        }
      }
    },

    async space() {
      if (!space || Date.now() - space.time > spaceMs) {
        const { blocks, bavail, bsize } = await calling("ask for free space", () => statfs(folder));
        const found = { time: Date.now(), total: blocks * bsize, free: bavail * bsize };
        // When the disk is nearly full, the answer is not reused.
        space = found.free > found.total / 8 ? found : undefined;
        return found;
      }
      return space;
    },

    async check() {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await access(folder, constants.W_OK);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        const who = process.getuid
          ? ` The process runs as user ${process.getuid()}; a mounted folder has to be that user's.`
          : "";
        throw new StorageUnavailableError(`Cannot write to STORAGE_DISK_PATH, ${folder}: ${reason}.${who}`, { cause });
      }
    },
  };
}

/** How long an answer about free space holds, because each upload asks twice. */
const spaceMs = 1_000;

const asideOf = (folder: string, key: string) => join(folder, "partial", checkedKey(key));

/** There are 256 folders, named by the last two digits of the keys: see `newBlobKey`. */
const placeOf = (folder: string, key: string) => join(folder, "blobs", checkedKey(key).slice(-2), key);

type Folders = ReturnType<typeof durableFolders>;

/** Runs `use`, which needs `folder`. Makes the folder and runs it again if the folder was deleted in the meantime. */
async function within<R>(folders: Folders, folder: string, use: () => Promise<R>): Promise<R> {
  await folders.make(folder);
  return use().catch(async (error) => {
    if (!isCode(error, "ENOENT")) throw error;
    folders.forget(folder);
    await folders.make(folder);
    return use();
  });
}

/** Errors that the body threw stay as they are. */
function toStorageError(error: unknown): unknown {
  if (isCode(error, "ENOSPC", "EDQUOT")) return new StorageFullError("The disk is full", { cause: error });
  const broken = isCode(error, "EACCES", "EIO", "EMFILE", "ENFILE", "ENOTDIR", "EPERM", "EROFS");
  return broken ? new StorageUnavailableError("The disk failed to take a blob", { cause: error }) : error;
}

function nullWhenMissing(error: unknown): null {
  if (isCode(error, "ENOENT")) return null;
  throw error;
}

const orNone = (names: string[] | null): string[] => names ?? [];

const isCode = (error: unknown, ...codes: string[]) =>
  error instanceof Error && "code" in error && codes.includes(String(error.code));

/** Chunks are joined to pieces of this size while the previous piece is written. */
const pieceBytes = 256 * 1024;

/** Writes all of `body` to the file, with at most two pieces in memory. */
async function writePieces(file: FileHandle, body: AsyncIterable<Chunk>): Promise<void> {
  let piece: Chunk[] = [];
  let size = 0;
  let writing: Promise<void> = Promise.resolve();
  try {
    for await (const chunk of body) {
      piece.push(chunk);
      size += chunk.byteLength;
      if (size < pieceBytes) continue;
      await writing;
      writing = writeAll(file, piece);
      // The promise is awaited before the next write. Until then its failure must not count as unhandled.
      writing.catch(() => undefined);
      piece = [];
      size = 0;
    }
    await writing;
    await writeAll(file, piece);
  } finally {
    // The caller closes the file next, so no write may be under way.
    await writing.catch(() => undefined);
  }
}

/** Writes after the first `start` bytes. One chunk is written while the next one arrives. */
function appendTo(file: FileHandle, start: number): Appender {
  let offset = start;
  let writing: Promise<void> = Promise.resolve();
  // After a failed sync the file system may forget the bytes and report success the next time, so one failure ends the appends.
  const sync = async () => {
    writing = writing.then(() => calling("sync a blob", () => file.datasync()));
    await writing;
    return { offset };
  };
  return {
    async write(chunk) {
      await writing;
      writing = writeAll(file, [chunk], offset).catch((error) => {
        throw toStorageError(error);
      });
      // The promise is awaited before the next write. Until then its failure must not count as unhandled.
      writing.catch(() => undefined);
      offset += chunk.byteLength;
    },
    sync,
    end: sync,
    async close() {
      await writing.catch(() => undefined);
      await file.close();
    },
  };
}

/** Writes all chunks, at `position` or where the last write ended. One `writev` may write only a part of them. */
async function writeAll(file: FileHandle, chunks: Chunk[], position?: number): Promise<void> {
  let rest = chunks.filter((chunk) => chunk.byteLength > 0);
  let at = position;
  while (rest.length > 0) {
    let { bytesWritten } = await file.writev(rest, at);
    if (at !== undefined) at += bytesWritten;
    rest = rest.flatMap((chunk) => {
      const written = Math.min(bytesWritten, chunk.byteLength);
      bytesWritten -= written;
      return written === chunk.byteLength ? [] : [chunk.subarray(written)];
    });
  }
}

/** Bytes that are read when a file is opened. Most files end within them, and are closed before they are sent. */
const firstReadBytes = 64 * 1024;
// Uses file descriptors, because with `FileHandle`s the whole request for a small file takes a tenth longer.
const [openFile, readFile, statFile] = [promisify(openDescriptor), promisify(read), promisify(fstat)];

/** Returns the file's bytes, or a range of them, as a byte stream that closes the file at its end. */
async function readPieces(path: string, range?: ByteRange): Promise<ReadableStream<Chunk>> {
  const fd = await openFile(path, "r");
  try {
    const start = range?.start ?? 0;
    const small = new Uint8Array(range ? Math.min(firstReadBytes, range.end + 1 - start) : firstReadBytes);
    const { bytesRead } = await readFile(fd, small, 0, small.byteLength, start);
    const isWhole = !range && bytesRead < firstReadBytes;
    const end = range ? range.end + 1 : isWhole ? bytesRead : (await statFile(fd)).size;
    if (start + bytesRead < end) return piecesOf(fd, start, end);
    closeSync(fd);
    return onePiece(small.subarray(0, bytesRead));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

async function readWhole(path: string, size: number): Promise<Chunk> {
  const fd = await openFile(path, "r");
  try {
    const bytes = new Uint8Array(size);
    const { bytesRead } = await readFile(fd, bytes, 0, size, 0);
    if (bytesRead < size) throw new Error(`Blob ends at byte ${bytesRead}, not at ${size}`);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

function onePiece(piece: Chunk): ReadableStream<Chunk> {
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      if (piece.byteLength > 0) controller.enqueue(piece);
      controller.close();
    },
  });
}

function piecesOf(fd: number, start: number, end: number): ReadableStream<Chunk> {
  let position = start;
  let reading: Promise<void> = Promise.resolve();
  let isOpen = true;
  // A descriptor is closed once, and not during a read, because its number may already belong to another file.
  const close = () => {
    if (isOpen) closeSync(fd);
    isOpen = false;
  };

  async function fill(controller: ReadableByteStreamController): Promise<void> {
    const request = controller.byobRequest;
    if (!request?.view) throw new TypeError("A byte stream was read without a buffer");
    const { buffer, byteOffset, byteLength } = request.view;
    const piece = new Uint8Array(buffer, byteOffset, Math.min(byteLength, end - position));
    const { bytesRead } = await readFile(fd, piece, 0, piece.byteLength, position);
    if (bytesRead === 0) throw new Error(`Blob ends at byte ${position}, not at ${end}`);
    position += bytesRead;
    request.respond(bytesRead);
    if (position < end) return;
    close();
    controller.close();
    // A read that is waiting needs this response.
    controller.byobRequest?.respond(0);
  }

  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: pieceBytes,
    pull(controller) {
      reading = fill(controller).catch((error) => {
        close();
        throw error;
      });
      return reading;
    },
    cancel: () => reading.then(close, close),
  });
}
