import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** Folders below `root` that are still there after a power cut. */
export function durableFolders(root: string) {
  const made = new Map<string, Promise<void>>();
  return {
    /**
     * Makes `path` and waits until its entry is on the disk. Whoever else makes the same folder may not be that far yet:
     * each process sees to it itself, once.
     */
    async make(path: string): Promise<void> {
      const making = made.get(path) ?? make(resolve(root), resolve(path));
      made.set(path, making);
      await making.catch((error) => {
        made.delete(path);
        throw error;
      });
    },
    /** Call when `path` turns out to be missing, so that it is made again. */
    forget: (path: string): void => void made.delete(path),
  };
}

/** A new folder is an entry in its parent, which has to reach the disk too; so are the parents made with it. */
async function make(root: string, path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  const top = first && first.length <= root.length ? dirname(first) : root;
  for (let below = path; below !== top; below = dirname(below)) await syncFolder(dirname(below));
}

let isTold = false;

/**
 * Waits until the names in a folder are on the disk. Windows and some network file systems know no such thing for
 * folders: there a new file may be gone after a power cut, which is said once.
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
    // A folder that is missing, or a disk that fails, is something else.
    if (!["EPERM", "EINVAL", "EISDIR", "ENOTSUP", "EBADF"].includes(code)) throw error;
    if (!isTold) {
      console.warn(
        `The file system of ${path} cannot bring a folder to the disk (${code}). A file that is stored just before a power cut ` +
          "may be lost there. Where that matters, put STORAGE_DISK_PATH on another file system.",
      );
    }
    isTold = true;
  }
}
