import { TRPCError } from "@trpc/server";
import type { Caller } from "../caller";
import { prisma } from "../database";
import type { ReadDb } from "../db";
import type { Statements } from "../transaction";
import { blobs } from "./driver";
import { type FileMetadata, toMetadata } from "./file-metadata";
import { createFileUrl, type FileUrlOptions } from "./file-url";
import { condemnFile, takeFile } from "./ledger";
import { parseStorageId } from "./storage-id";
import { type StoreOptions, storeBlob } from "./store";
import { StoredBlob } from "./stored-blob";
import { sweepSoon } from "./sweep";
import { createUploadUrl, type UploadLimits } from "./upload-url";

/** `ctx.storage` of a query. */
export interface StorageReader {
  /** A URL that serves the file to whoever has it, or `null` when there is no such file. */
  getUrl(storageId: string, options?: FileUrlOptions): Promise<string | null>;
  /** @deprecated Use `ctx.db.system.get`. */
  getMetadata(storageId: string): Promise<FileMetadata | null>;
}

/** `ctx.storage` of a mutation. */
export interface StorageWriter extends StorageReader {
  /** A URL that takes one file by POST within the next hour, and answers `{"storageId":"…"}`. */
  generateUploadUrl(limits?: UploadLimits): Promise<string>;
  /**
   * Takes an upload for the caller, and returns its metadata: their own, or once one that was uploaded without an
   * identity. Throws `NOT_FOUND` for anybody else's. Call it before a storage id from outside is saved.
   */
  claim(storageId: string): Promise<FileMetadata>;
  /** Deletes the file when the mutation commits; from then on its URLs are 404. Throws `NOT_FOUND` when there is none. */
  delete(storageId: string): Promise<void>;
}

/** `ctx.storage` of an action or HTTP action. */
export interface StorageActionWriter extends StorageWriter {
  /** Stores the bytes and returns their storage id. Throws and stores nothing when `sha256` is not theirs. */
  store(body: Blob | ReadableStream<Uint8Array>, options?: StoreOptions): Promise<string>;
  /** The file, its bytes read only when asked for; `null` when there is none. */
  get(storageId: string): Promise<Blob | null>;
}

type Reads = Pick<ReadDb, "storage" | "system">;

export function storageReader(caller: Caller, db: Reads): StorageReader {
  return {
    async getUrl(storageId, options) {
      const id = parseStorageId(storageId);
      const file = await db.storage.findUnique({ where: { id }, select: { id: true } });
      return file && createFileUrl(caller.origin, id, options);
    },
    getMetadata: db.system.get,
  };
}

export function storageWriter(caller: Caller, db: Reads, { run, afterCommit }: Statements): StorageWriter {
  return {
    ...storageReader(caller, db),
    async generateUploadUrl(limits) {
      await caller.limitRate("uploads");
      const identity = await caller.identity();
      return createUploadUrl(caller.origin, limits, identity?.tokenIdentifier);
    },
    async claim(storageId) {
      const id = parseStorageId(storageId);
      const identity = await caller.identity();
      const file = await run((client) => takeFile(client, id, identity?.tokenIdentifier ?? null));
      if (!file) throw new TRPCError({ code: "NOT_FOUND", message: `There is no upload ${id} of yours` });
      return toMetadata(file);
    },
    async delete(storageId) {
      const id = parseStorageId(storageId);
      if (!(await run((client) => condemnFile(client, id)))) {
        throw new TRPCError({ code: "NOT_FOUND", message: `Cannot delete file ${id}: there is none of that id` });
      }
      afterCommit(sweepSoon);
    },
  };
}

export function storageActionWriter(caller: Caller, db: Reads, statements: Statements): StorageActionWriter {
  return {
    ...storageWriter(caller, db, statements),
    store: async (body, options) => storeBlob(body, options, (await caller.identity())?.tokenIdentifier),
    async get(storageId) {
      const id = parseStorageId(storageId);
      const file = await prisma.storage.findUnique({ where: { id }, omit: { blobKey: false } });
      return file && new StoredBlob(blobs, file);
    },
  };
}
