import { createHash, randomUUID } from "node:crypto";
import { prisma } from "../database/database";
import { runAfterResponse } from "../jobs/after-response";
import { limits } from "../process/limits";
import { blobs } from "./blobs";
import { describeImageSoon, type StoredFile } from "./describe-images";
import { type Chunk, StorageFullError } from "./drivers/driver";
import { storageOptions } from "./options";
import { abandonUpload, commitUpload, listUpload, removeFromList, type Sql, wasOvertaken } from "./ownership";
import { type Allowance, allowanceOf, type Storer } from "./quota";
import { UploadError } from "./upload-error";

interface Incoming extends Storer {
  storageId: string;
  body: AsyncIterable<Chunk>;
  contentType: string | null;
  /** Lower-case hex. The bytes must have all of these digests. */
  sha256?: string[];
  /** The announced number of bytes. */
  size?: number;
  /** Bytes. */
  maxSize?: number;
  /** Bytes that the same sender has sent and that are not files yet. */
  reserved?: number;
  /** Until when the upload URL is remembered as used, in milliseconds since the epoch. */
  usedUntil: number;
}

/** Bytes that are in the store and are not a file yet. */
export interface Received extends Pick<Incoming, "storageId" | "contentType" | "usedUntil" | "owner"> {
  blobKey: string;
  /** Lower-case hex. */
  sha256: string;
  /** Bytes. */
  size: number;
  /** The type that the first bytes show; `null` when they match no known type. */
  detectedType: string | null;
  allowance: Allowance;
}

/**
 * Stores a file. When it resolves, the file is durable and has its row. When it rejects, nothing is stored.
 * @throws UploadError
 */
export async function receiveFile(incoming: Incoming): Promise<void> {
  await commitReceived([await receiveBytes(incoming)]);
}

/**
 * Stores the bytes of a file. When it rejects, nothing is stored. Afterwards either `commitReceived` makes a file of them, or
 * `discard` deletes them. After a crash garbage collection deletes them.
 * @throws UploadError
 */
export async function receiveBytes(incoming: Incoming): Promise<Received> {
  const { storageId, contentType, usedUntil, owner, reserved = 0 } = incoming;
  const whole = await allowanceOf(incoming);
  const allowance = { ...whole, remaining: Math.max(0, whole.remaining - reserved) };
  if (allowance.remaining < (incoming.size ?? 0)) throw allowance.refusal();
  await refuseFullDisk(incoming.size);
  const blobKey = newBlobKey();
  if (!(await listUpload({ blobKey, storageId }))) throw UploadError.used(storageId);
  try {
    const received = await put(blobKey, incoming, allowance);
    return { storageId, blobKey, contentType, usedUntil, owner, allowance, ...received };
  } catch (error) {
    await discard(blobKey, { mayReturn: error instanceof UploadError && error.code === "StorageUnavailable" });
    throw error;
  }
}

/** Makes files of received bytes: all of them or none. When it rejects, the bytes are deleted. */
export async function commitReceived(files: Received[]): Promise<void> {
  const commit = async (sql?: Sql) => {
    for (const file of files) {
      if (await commitUpload(file, sql)) continue;
      throw new UploadError("InternalServerError", "The upload took too long; send the file again");
    }
  };
  try {
    if (files.length === 1) await commit();
    else await prisma.$transaction((client) => commit((text, values) => client.$queryRawUnsafe(text, ...values)));
  } catch (error) {
    for (const { blobKey } of files) await discard(blobKey);
    for (const { storageId } of files) {
      if (await wasOvertaken(prisma, error, storageId)) throw UploadError.used(storageId);
    }
    throw error;
  }
  for (const { allowance, ...file } of files) {
    allowance.stored(file.size);
    await afterStored(file);
  }
}

/** Starts the work that follows a new file, after its commit. */
export async function afterStored(file: StoredFile & { detectedType: string | null }): Promise<void> {
  describeImageSoon(file);
  if ((await storageOptions()).onStored.length > 0) runAfterResponse(Date.now());
}

/**
 * Returns a random key. Its last two digits are the same for all uploads of a moment: the disk then keeps their blobs in one
 * folder, which it syncs once for all of them.
 */
function newBlobKey(): string {
  const moment = Math.floor(Date.now() / 64) % 256;
  return randomUUID().slice(0, -2) + moment.toString(16).padStart(2, "0");
}

/** Keeps a part of the disk free, because a database or a log on a full disk loses more than a file. */
export async function refuseFullDisk(size = 0): Promise<void> {
  const space = await blobs.space?.().catch(() => null);
  if (space && space.free - size < space.total * limits.diskReserve) {
    throw UploadError.ofStore(new StorageFullError(`The disk has ${space.free} bytes left of ${space.total}`));
  }
}

/** The first bytes of a file, by which its type is known. */
const headBytes = 4096;

/** Returns the type that these first bytes show, or `null` when they match no known type, for example for text. */
async function typeOfHead(head: Uint8Array): Promise<string | null> {
  // Loaded with the first file, so that serving files does without it.
  const { fileTypeFromBuffer } = await import("file-type");
  return (await fileTypeFromBuffer(head).catch(() => undefined))?.mime ?? null;
}

/** The type of a blob that the store has received. */
export async function typeOfBlob(blobKey: string, size: number): Promise<string | null> {
  if (size === 0) return null;
  const head = await blobs.get(blobKey, { start: 0, end: Math.min(size, headBytes) - 1 });
  return head && typeOfHead(new Uint8Array(await new Response(head).arrayBuffer()));
}

/** Received bytes are counted against the sender's daily limit in steps of this many. */
const countedStepBytes = 16 * 1024 * 1024;

/** Writes the bytes, and checks them against what was announced. */
async function put(blobKey: string, { body, contentType, sha256 = [], size, maxSize }: Incoming, allowance: Allowance) {
  const hash = createHash("sha256");
  let head: Uint8Array = new Uint8Array();
  let received = 0;
  let uncounted = 0;
  let bodyFailure: { error: unknown } | undefined;
  async function* inspected() {
    try {
      for await (const chunk of body) {
        received += chunk.byteLength;
        if (head.byteLength < headBytes) head = Buffer.concat([head, chunk.subarray(0, headBytes - head.byteLength)]);
        if (maxSize !== undefined && received > maxSize) throw UploadError.tooLarge(maxSize);
        if (received > allowance.remaining) throw allowance.refusal();
        if (size !== undefined && received > size) throw UploadError.incomplete(`more than the ${size} announced`);
        hash.update(chunk);
        uncounted += chunk.byteLength;
        if (uncounted >= countedStepBytes) {
          await allowance.count(uncounted);
          uncounted = 0;
        }
        yield chunk;
      }
      if (uncounted > 0) await allowance.count(uncounted);
      if (size !== undefined && received < size) throw UploadError.incomplete(`${received} of ${size}`);
    } catch (error) {
      bodyFailure = { error };
      throw error;
    }
  }
  try {
    await blobs.put(blobKey, inspected(), contentType, size);
  } catch (error) {
    throw bodyFailure ? bodyFailure.error : UploadError.ofStore(error);
  }
  const actual = hash.digest("hex");
  for (const expected of sha256) {
    if (expected !== actual) throw UploadError.sha256Mismatch(expected, actual);
  }
  return { sha256: actual, size: received, detectedType: await typeOfHead(head) };
}

/** For how long a store may still carry out a request whose connection has broken. */
const lateWriteMs = 3_600_000;

/**
 * Deletes what a failed attempt wrote, unless it became a file after all: a connection may break after the commit. When this
 * fails too, the blob is still listed, and garbage collection deletes it.
 * @param options.mayReturn whether a store elsewhere may still carry out a request that failed. Then garbage collection deletes
 * the blob again after an hour.
 */
export async function discard(blobKey: string, { mayReturn = false } = {}): Promise<void> {
  try {
    // A blob that is not listed is a file, or garbage collection took it before its bytes came.
    if (!(await abandonUpload(prisma, blobKey)) && (await isOwned(blobKey))) return;
    await blobs.delete(blobKey);
    await removeFromList(prisma, [blobKey], mayReturn && !blobs.isLocal ? Date.now() + lateWriteMs : 0);
  } catch (error) {
    console.error(`Could not remove blob ${blobKey} of a failed upload; garbage collection will:`, error);
  }
}

const isOwned = async (blobKey: string) =>
  (await prisma.storage.count({ where: { blobKey } })) + (await prisma.storageVariant.count({ where: { blobKey } })) >
  0;
