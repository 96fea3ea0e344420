import { TRPCError } from "@trpc/server";
import { prisma } from "../database/database";
import type { ReadDb } from "../database/db";
import type { Statements } from "../database/transaction";
import type { RequestContext as Caller } from "../functions/request-context";
import { quote } from "../log/text";
import { canonicalType } from "./content-type";
import { blobs } from "./driver";
import type { Chunk } from "./drivers/driver";
import { type FileMetadata, toMetadata } from "./file-metadata";
import { createFileUrl, type FileUrlOptions } from "./file-url";
import { condemnFile, shareFile, takeFile } from "./ledger";
import { refuseOverQuota, type Storer } from "./quota";
import { receiveFile } from "./receive";
import { sha256OfBase64 } from "./sha256";
import { newStorageId, parseStorageId } from "./storage-id";
import { StoredBlob } from "./stored-blob";
import { sweepSoon } from "./sweep";
import { UploadError } from "./upload/upload-error";
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
   * identity. Throws `NOT_FOUND` for anybody else's. Call it before a storage id from outside is saved. `contentType`
   * replaces what the uploader said that it is, for code that looked at the bytes.
   */
  claim(storageId: string, options?: { contentType?: string }): Promise<FileMetadata>;
  /**
   * Lets this mutation write rows that refer to a file which is not the caller's, or which other rows have too: a message
   * that is forwarded with its picture. A mutation that refers to a file without `claim` or `reuse` cannot commit. Throws
   * `NOT_FOUND` when there is none.
   */
  reuse(storageId: string): Promise<void>;
  /**
   * Deletes the file when the mutation commits; from then on its URLs are 404. Its bytes are kept for
   * `DELETED_FILE_RETENTION_HOURS`, in which an operator can restore it; with `permanently` they go at once, also those of
   * a file that was deleted before. Throws `NOT_FOUND` when there is none.
   */
  delete(storageId: string, options?: { permanently?: boolean }): Promise<void>;
}

/** `ctx.storage` of an action or HTTP action. */
export interface StorageActionWriter extends StorageWriter {
  /** Stores the bytes and returns their storage id. Throws and stores nothing when `sha256` is not theirs. */
  store(body: Blob | ReadableStream<Uint8Array>, options?: StoreOptions): Promise<string>;
  /** The file, its bytes read only when asked for; `null` when there is none. */
  get(storageId: string): Promise<Blob | null>;
}

const notFound = (what: string) => new TRPCError({ code: "NOT_FOUND", message: `${what}: there is none of that id` });

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
  // Uploads without an owner that this call has taken: what is not committed counts nowhere else.
  let claimedBytes = 0;
  return {
    ...storageReader(caller, db),
    async generateUploadUrl(limits) {
      await caller.limitRate("uploads");
      const identity = await caller.identity();
      return createUploadUrl(caller.origin, limits, identity?.tokenIdentifier);
    },
    async claim(storageId, { contentType } = {}) {
      const id = parseStorageId(storageId);
      const owner = (await caller.identity())?.tokenIdentifier ?? null;
      const file = await run((client) => takeFile(client, id, owner, contentType));
      if (!file) throw new TRPCError({ code: "NOT_FOUND", message: `There is no upload ${id} of yours` });
      if (file.wasUnowned && owner !== null) {
        claimedBytes += Number(file.size);
        await refuseOverQuota(owner, claimedBytes);
      }
      return toMetadata(file);
    },
    async reuse(storageId) {
      const id = parseStorageId(storageId);
      if (!(await run((client) => shareFile(client, id)))) throw notFound(`Cannot reuse file ${id}`);
    },
    async delete(storageId, { permanently = false } = {}) {
      const id = parseStorageId(storageId);
      if (!(await run((client) => condemnFile(client, id, permanently)))) {
        throw notFound(`Cannot delete file ${id}`);
      }
      afterCommit(sweepSoon);
    },
  };
}

export function storageActionWriter(caller: Caller, db: Reads, statements: Statements): StorageActionWriter {
  return {
    ...storageWriter(caller, db, statements),
    async store(body, options) {
      const owner = (await caller.identity())?.tokenIdentifier;
      return storeBlob(body, options, { owner, network: caller.network, isApp: caller.jobId !== undefined });
    },
    async get(storageId) {
      const id = parseStorageId(storageId);
      const file = await prisma.storage.findUnique({ where: { id }, omit: { blobKey: false } });
      return file && new StoredBlob(blobs, file);
    },
  };
}

interface StoreOptions {
  /** Refuse other bytes: SHA-256 as 64 hex digits, or as base64 of the 32 bytes. */
  sha256?: string;
  /** By default the blob's own `type`. */
  contentType?: string;
}

/** `ctx.storage.store`: see StorageActionWriter. */
async function storeBlob(
  body: Blob | ReadableStream<Uint8Array>,
  options: StoreOptions = {},
  storer: Storer,
): Promise<string> {
  const storageId = newStorageId();
  const isBlob = body instanceof Blob;
  try {
    await receiveFile({
      storageId,
      contentType: parseContentType(options.contentType || (isBlob && body.type) || null),
      sha256: options.sha256 === undefined ? [] : [parseSha256(options.sha256)],
      body: (isBlob ? body.stream() : body) as ReadableStream<Chunk>,
      ...storer,
      spentUntil: Date.now(),
    });
  } catch (error) {
    if (error instanceof UploadError && error.status < 500) {
      throw new TRPCError({ code: "BAD_REQUEST", message: error.message, cause: error });
    }
    throw error;
  }
  return storageId;
}

function parseContentType(text: string | null): string | null {
  const type = text === null ? null : canonicalType(text);
  if (text === null || type !== null) return type;
  throw badRequest("contentType", text, 'it is a media type, for example "image/png"');
}

/** `ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=` or `BA7816BF…` → lower-case hex. */
function parseSha256(text: string): string {
  const hex = /^[0-9a-f]{64}$/i.test(text) ? text.toLowerCase() : sha256OfBase64(text);
  if (hex === null) throw badRequest("sha256", text, "it is 64 hex digits, or base64 of 32 bytes");
  return hex;
}

function badRequest(name: string, text: string, form: string): TRPCError {
  return new TRPCError({ code: "BAD_REQUEST", message: `Cannot parse ${name} ${quote(text)}: ${form}` });
}
