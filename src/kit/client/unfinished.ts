import type { Begun } from "./direct";
import { readPart } from "./upload-request";

// Uploads that a page left unfinished, in IndexedDB. After a reload or a crash they continue with the same file.

/** An upload that began on an earlier page. */
export interface Unfinished {
  /** The upload URL. */
  url: string;
  /** The path of the page. */
  page: string;
  /** The id of the viewer who began it. */
  viewer: string | null;
  name: string;
  /** Bytes of the file. */
  size: number;
  /** Milliseconds since the epoch. */
  lastModified: number;
  /** The first bytes of the file, by which it is recognised. */
  start: Uint8Array<ArrayBuffer>;
  /** Bytes. */
  sent: number;
  /** What a direct upload needs to continue; `null` for an upload through the app. */
  direct: Begun | null;
  /** The file itself, if the browser gives access to it. Then it need not be chosen again. */
  handle?: FileSystemFileHandle & { requestPermission?: () => Promise<PermissionState> };
}

const startBytes = 1024;
const databaseName = "unfinished-uploads";

/** The server deletes unfinished uploads after a day. */
const lifetimeMs = 24 * 3_600_000;

interface Saved extends Unfinished {
  /** Milliseconds since the epoch. */
  at: number;
}

/** Runs a request on the object store. Returns `undefined` where there is no IndexedDB, as in some private windows. */
async function run<R>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => IDBRequest<R>): Promise<R | undefined> {
  if (typeof indexedDB === "undefined") return undefined;
  try {
    const opening = indexedDB.open(databaseName, 2);
    opening.onupgradeneeded = () => {
      const { result } = opening;
      // What version 1 stored about direct uploads is not enough to continue them.
      if (result.objectStoreNames.contains("uploads")) result.deleteObjectStore("uploads");
      result.createObjectStore("uploads", { keyPath: "url" });
    };
    const database = await settled(opening);
    try {
      return await settled(use(database.transaction("uploads", mode).objectStore("uploads")));
    } finally {
      database.close();
    }
  } catch (error) {
    console.warn("Could not remember an upload:", error);
    return undefined;
  }
}

const settled = <R>(request: IDBRequest<R>) =>
  new Promise<R>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Describes a file so that it is recognised later. */
export async function describeFile(file: File) {
  const start = await readPart(file.slice(0, startBytes));
  const handle = "handle" in file ? (file.handle as Unfinished["handle"]) : undefined;
  return { name: file.name, size: file.size, lastModified: file.lastModified, start, ...(handle && { handle }) };
}

/** Remembers an upload, or what has changed of it. */
export async function remember(upload: Unfinished): Promise<void> {
  const saved: Saved = { ...upload, at: Date.now() };
  await run("readwrite", (store) => store.put(saved));
}

export async function forget(url: string): Promise<void> {
  await run("readwrite", (store) => store.delete(url));
}

/** The uploads that a viewer left on this page. Forgets those that are too old. */
export async function listUnfinished(page: string, viewer: string | null): Promise<Unfinished[]> {
  const all: Saved[] = (await run("readonly", (store) => store.getAll())) ?? [];
  for (const { url, at } of all) if (at < Date.now() - lifetimeMs) void forget(url);
  return all.filter((each) => each.page === page && each.viewer === viewer && each.at >= Date.now() - lifetimeMs);
}

export function isSameFile(one: Unfinished, other: Awaited<ReturnType<typeof describeFile>>): boolean {
  const isAlike = one.name === other.name && one.size === other.size && one.lastModified === other.lastModified;
  return isAlike && one.start.every((byte, index) => byte === other.start[index]);
}
