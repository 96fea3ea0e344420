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

/** Waits until the names in a folder are on the disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
