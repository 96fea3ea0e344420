import { createHash, randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import { prisma } from "../database/database";
import { env } from "../process/env";
import { blobs } from "./blobs";
import type { Chunk, Progress } from "./drivers/driver";
import { hashBlob } from "./hash-blob";
import { commitUpload, isUsed, maxUploadMs, wasOvertaken } from "./ownership";
import { allowanceOf } from "./quota";
import { afterStored, discard, refuseFullDisk, typeOfBlob } from "./receive";
import type { UploadToken } from "./tokens";
import { storeFailed, UploadError } from "./upload-error";

// Uploads whose bytes arrive in several requests. A row of `_unfinished_uploads` says how many are durable, and which request
// writes. Nothing is kept in the process, so the next request may come to another one.

/** An upload that is not complete. */
export interface UnfinishedUpload {
  storageId: string;
  /** It is listed among the unowned blobs until the upload is a file. */
  blobKey: string;
  owner?: string;
  /** Bytes of the whole file. */
  size: number;
  contentType: string | null;
  /** The digests that the file must have, as lower-case hex. */
  sha256: string[];
  /** `Upload-Metadata` as the client sent it. */
  metadata: string | null;
  progress: Progress;
  expiresAt: Date;
  usedUntil: Date;
}

interface Announced extends Pick<UnfinishedUpload, "size" | "contentType" | "sha256" | "metadata"> {
  /** The network that the request came from: see `clientNetwork`. */
  network: string | null;
}

/**
 * Begins an upload, before its first byte. A client whose answer was lost may repeat it.
 * @returns the bytes that have arrived, and when the upload is deleted unless it is complete
 */
export async function beginUpload({ storageId, owner, ...token }: UploadToken, file: Announced) {
  const { size, contentType, sha256, metadata, network } = file;
  if (await isUsed(prisma, storageId)) throw UploadError.used(storageId);
  const before = await prisma.unfinishedUpload.findUnique({ where: { id: storageId } });
  if (before && Number(before.size) === size && before.metadata === metadata) {
    return { offset: offsetIn(before.progress), expiresAt: before.expiresAt };
  }
  if (before) throw UploadError.begun(Number(before.size));
  const allowance = await allowanceOf({ owner, network });
  if (size > allowance.remaining) throw allowance.refusal();
  await refuseFullDisk(size);
  const lifetimeMs = env.UNFINISHED_UPLOAD_HOURS * 3_600_000;
  const expiresAt = new Date(Date.now() + lifetimeMs);
  const usedUntil = new Date(token.expiresAt + maxUploadMs + Math.max(maxUploadMs, lifetimeMs));
  const progress: Progress = { offset: 0 };
  const begun = await prisma.$executeRaw`
    WITH begun AS (
      INSERT INTO "_unfinished_uploads"
        ("_id", "blobKey", "owner", "size", "contentType", "sha256", "metadata", "progress", "expiresAt", "usedUntil")
      SELECT ${storageId}::uuid, ${randomUUID()}, ${owner ?? null}, ${size}, ${contentType}, ${sha256}, ${metadata},
        ${progress}::jsonb, ${expiresAt}, ${usedUntil}
      WHERE NOT EXISTS (SELECT FROM "_spent_uploads" WHERE "_id" = ${storageId}::uuid)
      ON CONFLICT DO NOTHING
      RETURNING "blobKey", "expiresAt"
    )
    INSERT INTO "_unowned_blobs" ("blobKey", "deleteAfter")
    SELECT "blobKey", "expiresAt" + interval '1 hour' FROM begun`;
  // Another request has begun it in the meantime, or has even made its file.
  if (begun === 0) throw UploadError.locked();
  allowance.stored(size);
  return { offset: 0, expiresAt };
}

/** The offset in a row's `progress`. */
const offsetIn = (progress: unknown) => z.object({ offset: z.number() }).parse(progress).offset;

/** How long a request may write before it must renew its lease. After a crash the next request waits this long. */
const leaseMs = 6_000;
const renewalMs = 1_000;
/** How long a request waits for the one that writes. */
const patienceMs = 8_000;
/** How often a request looks whether it may write. */
const lookMs = 150;

/** The right of one request to write an upload. */
export interface Lease {
  /** Aborted when another request waits. The reason is a text. */
  signal: AbortSignal;
  /** Throws when another request may be writing. */
  check(): void;
  /** Records what is durable. */
  keep(progress: Progress): Promise<void>;
}

/**
 * Runs `use` as the only request that writes this upload, in all processes. A request that is already writing is told to
 * stop: its client has lost the connection and came back before the server noticed. Returns `null` when there is no such
 * upload.
 */
export async function withUpload<R>(
  storageId: string,
  use: (upload: UnfinishedUpload, lease: Lease) => Promise<R>,
): Promise<R | null> {
  const writer = randomUUID();
  const taken = await take(storageId, writer);
  if (!taken) return null;
  let { heldUntil } = taken;
  const stop = new AbortController();
  const lease: Lease = {
    signal: stop.signal,
    check() {
      if (performance.now() > heldUntil) throw UploadError.locked();
    },
    async keep(progress) {
      const kept = await prisma.$executeRaw`
        UPDATE "_unfinished_uploads" SET "progress" = ${progress}::jsonb
        WHERE "_id" = ${storageId}::uuid AND "writer" = ${writer}::uuid`;
      if (kept !== 1) throw UploadError.locked();
    },
  };
  const renew = async () => {
    const asked = performance.now();
    const [row] = await prisma.$queryRaw<{ wanted: boolean }[]>`
      UPDATE "_unfinished_uploads" SET "writerUntil" = now() + make_interval(secs => ${leaseMs / 1000}::float)
      WHERE "_id" = ${storageId}::uuid AND "writer" = ${writer}::uuid AND "expiresAt" > now() RETURNING "wanted"`;
    heldUntil = row ? asked + leaseMs - renewalMs : 0;
    if (!row) stop.abort("The upload has expired or was deleted");
    else if (row.wanted) stop.abort("Another request continues this upload");
  };
  // When the database cannot be reached, the lease ends by itself.
  const renewal = setInterval(() => renew().catch(() => undefined), renewalMs);
  try {
    return await use(taken.upload, lease);
  } finally {
    clearInterval(renewal);
    await prisma.$executeRaw`
      UPDATE "_unfinished_uploads" SET "writer" = NULL, "writerUntil" = NULL
      WHERE "_id" = ${storageId}::uuid AND "writer" = ${writer}::uuid`.catch(() => undefined);
  }
}

/** Waits until no other request writes the upload. */
async function take(
  storageId: string,
  writer: string,
): Promise<{ upload: UnfinishedUpload; heldUntil: number } | null> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const asked = performance.now();
    const [row] = await prisma.$queryRaw<UnfinishedUpload[]>`
      UPDATE "_unfinished_uploads"
      SET "writer" = ${writer}::uuid, "writerUntil" = now() + make_interval(secs => ${leaseMs / 1000}::float), "wanted" = false
      WHERE "_id" = ${storageId}::uuid AND "expiresAt" > now() AND ("writerUntil" IS NULL OR "writerUntil" < now())
      RETURNING "_id"::text AS "storageId", "blobKey", "owner", "size"::float AS "size", "contentType", "sha256", "metadata",
        "progress", "expiresAt", "usedUntil"`;
    if (row) return { upload: { ...row, owner: row.owner ?? undefined }, heldUntil: asked + leaseMs - renewalMs };
    const wanted = await prisma.$executeRaw`
      UPDATE "_unfinished_uploads" SET "wanted" = true WHERE "_id" = ${storageId}::uuid AND "expiresAt" > now()`;
    if (wanted === 0) return null;
    if (performance.now() > deadline) throw UploadError.locked();
    await wait(lookMs);
  }
}

/** How often progress is recorded while one request sends. That much is sent again after a crash. */
const keepMs = 2_000;

interface Appended {
  body: AsyncIterable<Chunk>;
  /** The digest that the bytes of this request must have. Without it, what arrives before a broken connection is kept. */
  checksum?: { algorithm: "sha1" | "sha256"; digest: string };
  network: string | null;
}

/** Appends the bytes of one request, and returns the progress that is durable afterwards. */
export async function append(upload: UnfinishedUpload, lease: Lease, incoming: Appended): Promise<Progress> {
  const { blobKey, size, owner, progress: before } = upload;
  const { body, checksum, network } = incoming;
  const hash = checksum && createHash(checksum.algorithm);
  const allowance = await allowanceOf({ owner, network });
  const newAside = () => listAside(upload);
  const appender = await blobs.append.open(blobKey, upload, before, newAside).catch(storeFailed);
  let kept = before;
  const keep = async (progress: Progress) => {
    await allowance.count(progress.offset - kept.offset);
    await lease.keep(progress);
    const { aside } = kept;
    kept = progress;
    // Discards the old blob only now: until the new progress is recorded, the next request needs it.
    if (aside && aside !== progress.aside) await discard(aside);
  };

  async function write(): Promise<void> {
    let offset = before.offset;
    let keptAt = performance.now();
    for await (const chunk of body) {
      offset += chunk.byteLength;
      if (offset > size) throw UploadError.tooLarge(size);
      lease.check();
      hash?.update(chunk);
      await appender.write(chunk).catch(storeFailed);
      if (hash || performance.now() < keptAt + keepMs) continue;
      await keep(await appender.sync().catch(storeFailed));
      keptAt = performance.now();
    }
    if (hash && hash.digest("base64") !== checksum?.digest) {
      throw new UploadError("ChecksumMismatch", "The bytes do not have the Upload-Checksum; send them again");
    }
  }

  const end = async () => {
    lease.check();
    await keep(await appender.end().catch(storeFailed));
  };

  try {
    await write();
    await end();
    return kept;
  } catch (error) {
    // What arrived before the failure need not be sent again, but bytes with a checksum count as a whole.
    if (!hash) await end().catch(() => undefined);
    throw error;
  } finally {
    await appender.close();
  }
}

/** Lists a blob that keeps bytes of the upload for the next request. */
async function listAside({ expiresAt }: UnfinishedUpload): Promise<string> {
  const blobKey = randomUUID();
  await prisma.unownedBlob.create({ data: { blobKey, deleteAfter: new Date(expiresAt.getTime() + 3_600_000) } });
  return blobKey;
}

/** Makes the file when all bytes are there. May be repeated after a crash. */
export async function finishUpload(upload: UnfinishedUpload): Promise<void> {
  const { storageId, blobKey, size, contentType, owner, progress, usedUntil } = upload;
  try {
    if (!(await isUsed(prisma, storageId))) {
      await blobs.append.complete(blobKey, upload, progress).catch(storeFailed);
      const sha256 = await hashBlob(blobs, blobKey, size);
      for (const expected of upload.sha256) {
        if (expected !== sha256) throw UploadError.sha256Mismatch(expected, sha256);
      }
      const detectedType = await typeOfBlob(blobKey, size).catch(storeFailed);
      const file = {
        storageId,
        blobKey,
        sha256,
        size,
        contentType,
        detectedType,
        owner,
        usedUntil: usedUntil.getTime(),
      };
      if (!(await commitUpload(file))) throw UploadError.incomplete("no usable");
      await afterStored(file);
    }
    await prisma.unfinishedUpload.deleteMany({ where: { id: storageId } });
  } catch (error) {
    const overtaken = await wasOvertaken(prisma, error, storageId);
    // Wrong bytes stay wrong. After a failure of the server the client may try again.
    if (overtaken || (error instanceof UploadError && error.isFinal)) await removeUpload(upload);
    throw overtaken ? UploadError.used(storageId) : error;
  }
}

/** Deletes what has arrived. The upload URL may begin another upload as long as it is valid. */
export async function removeUpload({ storageId, blobKey, progress }: UnfinishedUpload): Promise<void> {
  // First, because no request may continue the upload when its blobs are not listed any more.
  await prisma.unfinishedUpload.deleteMany({ where: { id: storageId, blobKey } });
  await discard(blobKey, { mayReturn: true });
  if (progress.aside) await discard(progress.aside);
}
