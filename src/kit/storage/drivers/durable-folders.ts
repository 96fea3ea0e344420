import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** Makes folders below `root` that survive a power cut. */
export function durableFolders(root: string) {
  const made = new Map<string, Promise<void>>();
  return {
    /**
     * Makes `path` and waits until its entry is on the disk. Each process does this once for each folder, because another
     * process that makes the same folder may not have finished.
     */
    async make(path: string): Promise<void> {
      const making = made.get(path) ?? make(resolve(root), resolve(path));
      made.set(path, making);
      await making.catch((error) => {
        made.delete(path);
        throw error;
      });
    },
    /** Makes `make` start again. Call it when `path` is missing. */
    forget: (path: string): void => void made.delete(path),
  };
}

/** Syncs the parent of every new folder, because the entry of the folder is in its parent. */
async function make(root: string, path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  const top = first && first.length <= root.length ? dirname(first) : root;
  for (let below = path; below !== top; below = dirname(below)) await syncFolder(dirname(below));
}

/** The last requested sync of each folder, until it is done. */
const syncs = new Map<string, { hasBegun: boolean; done: Promise<void> }>();

/**
 * Syncs a folder. Callers that come while a sync of the folder is running share the next one, which begins after they asked.
 */
export function syncTogether(path: string): Promise<void> {
  const last = syncs.get(path);
  if (last && !last.hasBegun) return last.done;
  const sync = { hasBegun: false, done: Promise.resolve() };
  const begin = () => {
    sync.hasBegun = true;
    return syncFolder(path);
  };
  sync.done = (last ? last.done.then(begin, begin) : begin()).finally(() => {
    if (syncs.get(path) === sync) syncs.delete(path);
  });
  syncs.set(path, sync);
  return sync.done;
}

let hasWarned = false;

/**
 * Waits until the entries of a folder are on the disk. Windows and some network file systems cannot sync folders, so there a
 * power cut may lose a new file. Warns about that once.
 */
export async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    // Other codes mean that the folder is missing or that the disk fails.
    if (!["EPERM", "EINVAL", "EISDIR", "ENOTSUP", "EBADF"].includes(code)) throw error;
    if (!hasWarned) {
      console.warn(
        `The file system of ${path} cannot bring a folder to the disk (${code}). A file that is stored just before a power cut ` +
          "may be lost there. Where that matters, put STORAGE_DISK_PATH on another file system.",
      );
    }
    hasWarned = true;
  }
}
