import { access, constants, mkdir, open, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readPieces } from "./disk-read";
import { writePieces } from "./disk-write";
import { type BlobDriver, calling, checkedKey, StorageFullError, StorageUnavailableError } from "./driver";
import { durableFolders, syncFolder } from "./durable-folders";

/**
 * Blobs as files below `folder`, on one volume. A blob is written aside in `partial/` and renamed to its place, so what
 * stands at its place is whole.
 */
export function diskDriver(folder: string): BlobDriver {
  const folders = durableFolders(folder);

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
        await syncFolder(dirname(place));
      } catch (error) {
        // Why this failed says less; what it leaves is listed, and the sweeper's.
        await Promise.allSettled([aside, place].map((path) => rm(path, { force: true })));
        throw toStorageError(error);
      }
    },

    async get(key, range) {
      return calling("read a blob", () => readPieces(placeOf(folder, key), range).catch(nullWhenMissing));
    },

    async head(key) {
      const found = await calling("look for a blob", () => stat(placeOf(folder, key)).catch(nullWhenMissing));
      return found && { size: found.size };
    },

    delete: remove,

    async space() {
      const { blocks, bavail, bsize } = await calling("ask for free space", () => statfs(folder));
      return { total: blocks * bsize, free: bavail * bsize };
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

const asideOf = (folder: string, key: string) => join(folder, "partial", checkedKey(key));

/** 256 folders by the key's last two digits, which are random. */
const placeOf = (folder: string, key: string) => join(folder, "blobs", checkedKey(key).slice(-2), key);

type Folders = ReturnType<typeof durableFolders>;

/** Runs `use`, which needs `folder`; once more when someone removed the folder meanwhile. */
async function within<R>(folders: Folders, folder: string, use: () => Promise<R>): Promise<R> {
  await folders.make(folder);
  return use().catch(async (error) => {
    if (!isCode(error, "ENOENT")) throw error;
    folders.forget(folder);
    await folders.make(folder);
    return use();
  });
}

/** What the body threw stays as it is. */
function toStorageError(error: unknown): unknown {
  if (isCode(error, "ENOSPC", "EDQUOT")) return new StorageFullError("The disk is full", { cause: error });
  const broken = isCode(error, "EACCES", "EIO", "EMFILE", "ENFILE", "ENOTDIR", "EPERM", "EROFS");
  return broken ? new StorageUnavailableError("The disk failed to take a blob", { cause: error }) : error;
}

function nullWhenMissing(error: unknown): null {
  if (isCode(error, "ENOENT")) return null;
  throw error;
}

const isCode = (error: unknown, ...codes: string[]) =>
  error instanceof Error && "code" in error && codes.includes(String(error.code));
