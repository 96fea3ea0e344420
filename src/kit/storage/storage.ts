import { TRPCError } from "@trpc/server";
import { prisma } from "../database/database";
import type { ReadDb } from "../database/db";
import type { Id } from "../database/ids";
import type { Statements } from "../database/transaction";
import { parseArgs } from "../functions/args";
import type { RequestContext } from "../functions/request-context";
import { downloadPublic, type FetchPublicOptions } from "../http/fetch-public";
import { quote, shorten } from "../log/text";
import { blobs } from "./blobs";
import type { Chunk } from "./drivers/driver";
import { type FileMetadata, type ImageMetadata, newStorageId, parseStorageId, toMetadata } from "./file";
import { deleteUnownedBlobsSoon } from "./garbage-collection";
import { canonicalType, sha256OfBase64 } from "./headers";
import { claimFile, deleteFile, releaseFile, reuseFile } from "./ownership";
import { refuseOverQuota, type Storer, type Usage, usageOf } from "./quota";
import { receiveFile } from "./receive";
import { type FormFileLimits, type ReceivedForm, type ReceiveOptions, receiveForm } from "./receive-form";
import { type ServeOptions, serveFile } from "./serve";
import { openStoredBlob } from "./stored-blob";
import { createFileUrl, createUploadUrl, type FileUrlOptions, type UploadLimits, uploadLimits } from "./tokens";
import { allowsContentType } from "./upload";
import { UploadError } from "./upload-error";

/** `ctx.storage` of a query. */
export interface StorageReader {
  /** Returns a URL that serves the file to everyone who has the URL, or `null` when there is no such file, or it is held. */
  getUrl(storageId: Id<"_storage">, options?: FileUrlOptions): Promise<string | null>;
  /**
   * Returns how many files belong to an identity, given as `tokenIdentifier`, and the sum of their sizes in bytes. In mutations
   * and actions it counts outside the transaction, so that it causes no conflicts with uploads.
   */
  usage(identity: string): Promise<Usage>;
  /**
   * Returns what `<StorageImage>` needs to show a file: the URL of an image, its size, and a placeholder. `null` when there
   * is no such file, or it is held. The size and the placeholder are known shortly after the file was stored, and never for
   * a file that is not an image.
   */
  getImage(storageId: Id<"_storage">, options?: FileUrlOptions): Promise<StoredImage | null>;
  /** @deprecated Use `ctx.db.system.get`. */
  getMetadata(storageId: Id<"_storage">): Promise<FileMetadata | null>;
}

/** `ctx.storage` of a mutation. */
export interface StorageWriter extends StorageReader {
  /** Returns a URL that accepts one file by POST within the next hour, and answers `{"storageId":"…"}`. */
  generateUploadUrl(limits?: UploadLimits): Promise<string>;
  /**
   * Claims an upload for the current user, and returns its metadata. The user can claim their own uploads, and an upload that
   * was made without an identity can be claimed once. Throws `NOT_FOUND` for the uploads of others. Call it before you save a
   * storage id that a client sent. `contentType` replaces the type that the uploader announced, for code that has looked at
   * the bytes.
   */
  claim(storageId: Id<"_storage">, options?: { contentType?: string }): Promise<FileMetadata>;
  /**
   * Lets this mutation write rows that reference a file of someone else, or a file that other rows reference too: for example
   * when it forwards a message with its picture. A mutation that references a file without `claim` or `reuse` cannot commit.
   * Throws `NOT_FOUND` when there is no such file.
   */
  reuse(storageId: Id<"_storage">): Promise<void>;
  /**
   * Serves a file that `hold` of `kit.app({ storage })` keeps back. Does nothing to a file that is served already. Throws
   * `NOT_FOUND` when there is no such file.
   */
  release(storageId: Id<"_storage">): Promise<void>;
  /**
   * Deletes the file when the mutation commits; from then on its URLs answer 404. The bytes are kept for
   * `DELETED_FILE_RETENTION_HOURS`, so that an operator can restore the file. With `permanently` they are deleted at once, also
   * when the file was deleted before. Throws `NOT_FOUND` when there is no such file.
   */
  delete(storageId: Id<"_storage">, options?: { permanently?: boolean }): Promise<void>;
}

/** `ctx.storage` of an action or HTTP action. */
export interface StorageActionWriter extends StorageWriter {
  /** Stores the bytes and returns their storage id. Throws and stores nothing when the bytes do not have the given `sha256`. */
  store(body: Blob | ReadableStream<Uint8Array>, options?: StoreOptions): Promise<Id<"_storage">>;
  /**
   * Fetches a user-supplied URL without exposing the private network, stores the bytes while they arrive, and returns their
   * storage id. The file has the type that the server says. Throws `BAD_REQUEST`, and stores nothing, when the URL cannot be
   * fetched or its file is not allowed, and `TOO_MANY_REQUESTS` when too many downloads wait.
   *
   *     await ctx.limitRate("fetches");
   *     const storageId = await ctx.storage.storeFrom(url, { maxSize: 50_000_000, contentTypes: ["image/*"], signal: ctx.signal });
   */
  storeFrom(url: string, options: StoreFromOptions): Promise<Id<"_storage">>;
  /**
   * Takes a `multipart/form-data` form in an HTTP action. Stores its files while they arrive, and returns the text fields and the
   * storage ids. `max` is how many files a field takes (default: 1). When the form is refused or breaks off, no file of it is
   * kept. A page of another site cannot send a form with the visitor's session.
   *
   *     const { fields, files } = await ctx.storage.receive(request, { photo: { maxSize: 10_000_000, contentTypes: ["image/*"] } });
   *     await ctx.runMutation(photos.save, { author: fields.get("author") ?? "", storageId: files.photo[0]?.storageId });
   *
   * The route's `maxRequestSize` limits the whole form. Throws `BAD_REQUEST` for what is not a form, for a field of files that is
   * not listed, and for too many files, and answers 413 and 415 for a file that is too large or of another type.
   */
  receive<Name extends string>(
    request: Request,
    files: Record<Name, FormFileLimits>,
    options?: ReceiveOptions,
  ): Promise<ReceivedForm<Name>>;
  /**
   * Returns the file, whose bytes are read when you ask for them, or `null` when there is no such file. Returns `null` for a
   * held file, too, unless you pass `held`, for example in the function that decides whether to release it.
   *
   * `Response`, `Request` and the body of `fetch` take it with every store. `multipartBody` sends it in a form. `new
   * File([blob])` and `FormData` take it when it is on a disk and has less than 4 GiB; else they throw.
   */
  get(storageId: Id<"_storage">, options?: { held?: boolean }): Promise<Blob | null>;
  /**
   * Answers a request to an HTTP action with the file, as its URL would: with ranges, so that a video seeks, with conditional
   * requests, and of any size. Answers 404 when there is no such file. Check first whether the sender may read it:
   *
   *     if (!(await ctx.runQuery(documents.mayRead, { storageId }))) return new Response("Not found", { status: 404 });
   *     return ctx.storage.serve(request, storageId, { downloadAs: "report.pdf" });
   *
   * A player asks for each range in a request of its own, and the action checks each. Where `STORAGE_REDIRECT_ABOVE` is set, a
   * large file is answered with a redirect to the store, and that URL works for up to an hour without a further check.
   */
  serve(request: Request, storageId: Id<"_storage">, options?: ServeOptions): Promise<Response>;
}

/** An image to show: see `getImage`. */
export interface StoredImage extends Partial<ImageMetadata> {
  /** Serves it in each width of `imageWidths` of `createKit`. */
  url: string;
}

const notFound = (what: string) => new TRPCError({ code: "NOT_FOUND", message: `${what}: it does not exist` });

type Reads = Pick<ReadDb, "storage" | "system">;

export function storageReader(context: RequestContext, db: Reads): StorageReader {
  return {
    async getUrl(storageId, options) {
      const id = parseStorageId(storageId);
      const file = await db.storage.findUnique({ where: { id, held: false }, select: { id: true } });
      return file && createFileUrl(context.origin, id, options);
    },
    async usage(identity) {
      const { _count, _sum } = await db.storage.aggregate({
        where: { owner: identity },
        _count: true,
        _sum: { size: true },
      });
      return { files: _count, bytes: Number(_sum.size ?? 0) };
    },
    async getImage(storageId, options = {}) {
      const file = await db.system.get(storageId);
      if (!file || file.held) return null;
      const url = createFileUrl(context.origin, file._id, { format: "auto", ...options });
      const { width, height, fit } = options;
      const isCropped = width !== undefined && height !== undefined && fit !== "inside";
      return { url, ...file.image, ...(isCropped && { width, height }) };
    },
    getMetadata: db.system.get,
  };
}

export function storageWriter(context: RequestContext, db: Reads, { run, afterCommit }: Statements): StorageWriter {
  // The bytes of uploads without an owner that this call has claimed. The quota does not count them before the commit.
  let claimedBytes = 0;
  // Files that this transaction has locked, so that they need not be looked up again.
  const claimed = new Set<string>();
  const reader = storageReader(context, db);
  return {
    ...reader,
    usage: usageOf,
    async getUrl(storageId, options) {
      const id = parseStorageId(storageId);
      return claimed.has(id) ? createFileUrl(context.origin, id, options) : reader.getUrl(id, options);
    },
    async generateUploadUrl(limits) {
      await context.limitRate("uploads");
      const identity = await context.identity();
      return createUploadUrl(context.origin, limits, identity?.tokenIdentifier);
    },
    async claim(storageId, { contentType } = {}) {
      const id = parseStorageId(storageId);
      const owner = (await context.identity())?.tokenIdentifier ?? null;
      const file = await run((client) => claimFile(client, id, owner, contentType));
      if (!file)
        throw new TRPCError({ code: "NOT_FOUND", message: `Upload ${id} does not exist or belongs to someone else.` });
      if (file.wasUnowned && owner !== null) {
        claimedBytes += Number(file.size);
        await refuseOverQuota(owner, claimedBytes);
      }
      if (!file.held) claimed.add(id);
      return toMetadata(file);
    },
    async reuse(storageId) {
      const id = parseStorageId(storageId);
      if (!(await run((client) => reuseFile(client, id)))) throw notFound(`Cannot reuse file ${id}`);
    },
    async release(storageId) {
      const id = parseStorageId(storageId);
      if (!(await run((client) => releaseFile(client, id)))) throw notFound(`Cannot release file ${id}`);
    },
    async delete(storageId, { permanently = false } = {}) {
      const id = parseStorageId(storageId);
      claimed.delete(id);
      if (!(await run((client) => deleteFile(client, id, permanently)))) {
        throw notFound(`Cannot delete file ${id}`);
      }
      afterCommit(deleteUnownedBlobsSoon);
    },
  };
}

export function storageActionWriter(context: RequestContext, db: Reads, statements: Statements): StorageActionWriter {
  const storer = async (): Promise<Storer> => {
    const owner = (await context.identity())?.tokenIdentifier;
    return { owner, network: context.network, isApp: context.jobId !== undefined };
  };
  return {
    ...storageWriter(context, db, statements),
    // An action's claim locks nothing.
    getUrl: storageReader(context, db).getUrl,
    store: async (body, options) => storeBlob(body, options, await storer()),
    storeFrom: async (url, options) => storeFrom(url, { signal: context.signal, ...options }, await storer()),
    receive: async (request, files, options = {}) => receiveForm(request, files, options, await storer()),
    async get(storageId, { held = false } = {}) {
      const id = parseStorageId(storageId);
      const file = await prisma.storage.findUnique({ where: { id }, omit: { blobKey: false } });
      return file && (held || !file.held) ? openStoredBlob(blobs, file) : null;
    },
    serve: serveFile,
  };
}

export interface StoreFromOptions extends FetchPublicOptions {
  /** The types to accept, for example `["image/*", "application/pdf"]`. Default: all. */
  contentTypes?: string[];
}

/** `ctx.storage.storeFrom`: see `StorageActionWriter`. */
function storeFrom(url: string, options: StoreFromOptions, storer: Storer): Promise<string> {
  const { maxSize, contentTypes } = parseArgs(uploadLimits, {
    maxSize: options.maxSize,
    contentTypes: options.contentTypes,
  });
  if (!URL.canParse(url)) throw badRequest("url", url, 'pass a URL, for example "https://example.com/photo.jpg"');
  return downloadPublic(url, options, async ({ contentType, body, size }) => {
    const type = contentType === null ? null : canonicalType(contentType);
    if (!allowsContentType({ contentTypes }, type)) {
      const message = `${shorten(url)} is ${type ?? "of no known type"}, not ${contentTypes?.join(", ")}.`;
      throw new TRPCError({ code: "BAD_REQUEST", message });
    }
    return storeBlob(body, { contentType: type ?? undefined, size, maxSize }, storer);
  });
}

interface StoreOptions {
  /** Refuses bytes with another SHA-256. Write 64 hex digits, or base64 of the 32 bytes. */
  sha256?: string;
  /** Default: the `type` of the blob. */
  contentType?: string;
}

/** `ctx.storage.store`: see `StorageActionWriter`. */
async function storeBlob(
  body: Blob | ReadableStream<Uint8Array>,
  options: StoreOptions & { size?: number; maxSize?: number } = {},
  storer: Storer,
): Promise<Id<"_storage">> {
  const storageId = newStorageId();
  const isBlob = body instanceof Blob;
  try {
    await receiveFile({
      storageId,
      contentType: parseContentType(options.contentType || (isBlob && body.type) || null),
      sha256: options.sha256 === undefined ? [] : [parseSha256(options.sha256)],
      size: options.size,
      maxSize: options.maxSize,
      body: (isBlob ? body.stream() : body) as ReadableStream<Chunk>,
      ...storer,
      // No upload URL has this id.
      usedUntil: Date.now(),
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
  throw badRequest("contentType", text, 'pass a media type, for example "image/png"');
}

/** Returns `ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=` or `BA7816BF…` as lower-case hex. */
function parseSha256(text: string): string {
  const hex = /^[0-9a-f]{64}$/i.test(text) ? text.toLowerCase() : sha256OfBase64(text);
  if (hex === null) throw badRequest("sha256", text, "pass 64 hex digits, or base64 of 32 bytes");
  return hex;
}

function badRequest(name: string, text: string, form: string): TRPCError {
  return new TRPCError({ code: "BAD_REQUEST", message: `Cannot parse ${name} ${quote(text)}: ${form}` });
}
