import { createHash } from "node:crypto";
import { TRPCError } from "@trpc/server";
import { v7 } from "uuid";
import { z } from "zod";
import { prisma } from "../database/database";
import { limitRate } from "../functions/rate-limit";
import { readJson } from "../http/body";
import { clientNetwork } from "../http/client-address";
import { blobs } from "./blobs";
import { describeImageSoon } from "./describe-images";
import type { BlobDriver, DirectResult } from "./drivers/driver";
import { canonicalType, essenceOf } from "./headers";
import { commitUpload, isUsed, listUpload, maxUploadMs, urlUsedUntil, wasOvertaken } from "./ownership";
import { allowanceOf } from "./quota";
import { discard } from "./receive";
import { createReceipt, type Receipt, readReceipt } from "./tokens";
import { checkAnnounced, readTokenOf, uploadEndpoint } from "./upload";
import { UploadError } from "./upload-error";

// Uploads whose bytes go straight to the blob store: one request starts them, another makes the file.

const announced = z.object({
  size: z.int().nonnegative(),
  contentType: z
    .string()
    .refine((text) => text === "" || canonicalType(text) !== null, {
      error: 'write a media type, for example "image/png"',
    })
    .nullish()
    .transform((text) => (text ? canonicalType(text) : null)),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/i, { error: "write 64 hex digits" })
    .toLowerCase()
    .optional(),
});

/**
 * `POST /api/storage/upload/direct?token=…` with `{ size, contentType?, sha256? }`: answers where to send the bytes and how to
 * complete the upload, or `{ direct: null }` when the file is empty or this store takes no direct uploads.
 */
export const startDirect = uploadEndpoint(async (request) => {
  const token = readTokenOf(request);
  const file = await readBody(request, announced);
  checkAnnounced(token, file);
  const { storageId, owner } = token;
  const allowance = await allowanceOf({ owner, network: clientNetwork(request.headers) });
  if (file.size > allowance.remaining) throw allowance.refusal();
  if (!blobs.direct || file.size === 0) return { direct: null };
  await limitRate("directUploads", { identity: owner ?? null, headers: request.headers });
  await allowance.count(file.size);

  // A UUIDv7 says when it was made, and so until when its signed URLs can write: see `writableUntil` in ownership.ts.
  const blobKey = v7();
  const expiresAt = Date.now() + maxUploadMs;
  if (!(await listUpload({ blobKey, storageId }))) throw UploadError.used(storageId);
  const { uploadId, parts } = await blobs.direct.start(blobKey, file, new Date(expiresAt)).catch(storeFailed);
  const receipt = createReceipt({ permit: token, blobKey, uploadId, expiresAt, ...file });
  return { direct: { parts, complete: { method: "POST", url: "/api/storage/upload/complete", receipt }, expiresAt } };
});

const completion = z.object({ receipt: z.string(), answers: z.string().max(4096).array().max(1000).default([]) });

/**
 * `POST /api/storage/upload/complete` with `{ receipt, answers }`: makes the file when the store has the bytes that were
 * announced. `answers` are the bodies of the store's answers to the parts, in their order. A client may repeat the request.
 */
export const completeDirect = uploadEndpoint(async (request) => {
  const { receipt: text, answers } = await readBody(request, completion);
  const receipt = readReceipt(text);
  if (!receipt) throw new UploadError("StorageTokenInvalid", "This is not a receipt of ours; start the upload again");
  if (receipt.expiresAt < Date.now()) {
    throw new UploadError("StorageTokenExpired", "The upload was not completed in time; ask for a new upload URL");
  }
  const { blobKey } = receipt;
  const { storageId } = receipt.permit;
  const listed = await prisma.unownedBlob.findUnique({ where: { blobKey } });
  if (!listed || listed.condemned) return refuseClosed(storageId);
  try {
    const sent = await blobs.direct?.complete(blobKey, receipt, answers).catch(storeFailed);
    await commit(receipt, await verify(receipt, sent ?? null));
  } catch (error) {
    if (await wasOvertaken(prisma, error, storageId)) {
      await discard(blobKey);
      throw UploadError.used(storageId);
    }
    // Wrong bytes stay wrong. After a failure of the server the client may try again with the same receipt.
    if (error instanceof UploadError && error.status < 500) await discard(blobKey);
    throw error;
  }
  return { storageId };
});

/** Enough for the answers to a thousand parts. */
const maxBodyBytes = 1024 * 1024;
const maxBodyValues = 20_000;

async function readBody<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  const body = await readJson(request, maxBodyBytes, maxBodyValues).catch((cause) => {
    if (!(cause instanceof TRPCError)) throw cause;
    const code = cause.code === "PAYLOAD_TOO_LARGE" ? "FileTooLarge" : "BadQueryArgs";
    throw new UploadError(code, `Cannot read the body: ${cause.message}`, {}, { cause });
  });
  const { data, error } = schema.safeParse(body);
  if (error) throw new UploadError("BadQueryArgs", z.prettifyError(error).replaceAll("✖ ", ""));
  return data;
}

/** Refuses an upload that has made its file already, or that was refused before. */
async function refuseClosed(storageId: string): Promise<never> {
  if (await isUsed(prisma, storageId)) throw UploadError.used(storageId);
  throw UploadError.incomplete("no usable");
}

/** Compares what the store has with what was announced. Returns its SHA-256, for which it may have to read the bytes. */
async function verify(receipt: Receipt, sent: DirectResult | null): Promise<string> {
  if (!sent) throw UploadError.incomplete(`not all of the ${receipt.size}`);
  if (sent.size !== receipt.size) throw UploadError.incomplete(`${sent.size} of ${receipt.size}`);
  const { contentType, sha256 } = receipt;
  if (contentType !== null && sent.contentType && essenceOf(sent.contentType) !== essenceOf(contentType)) {
    const message = `The file was announced as ${contentType} and sent as ${sent.contentType}; send it again`;
    throw new UploadError("ContentTypeNotAllowed", message);
  }
  const actual = sent.sha256 ?? (await hashBlob(blobs, receipt.blobKey, receipt.size).catch(storeFailed));
  if (sha256 !== undefined && sha256 !== actual) throw UploadError.sha256Mismatch(sha256, actual);
  return actual;
}

async function commit({ permit, blobKey, size, contentType }: Receipt, sha256: string): Promise<void> {
  const { storageId, owner } = permit;
  // Other uploads may have ended since this one began.
  const { remaining, refusal, stored } = await allowanceOf({ owner, network: null });
  if (size > remaining) throw refusal();
  const file = { storageId, blobKey, sha256, size, contentType, owner, usedUntil: urlUsedUntil(permit) };
  if (!(await commitUpload(file))) await refuseClosed(storageId);
  stored(size);
  if (essenceOf(contentType).startsWith("image/")) describeImageSoon({ storageId, blobKey, size });
}

export function storeFailed(error: unknown): never {
  throw UploadError.ofStore(error);
}

/** How often in a row a connection may break without a byte read. */
const maxFailures = 3;

/** The SHA-256 of a blob of `size` bytes. After a broken connection it continues where it was. */
export async function hashBlob(driver: BlobDriver, key: string, size: number): Promise<string> {
  const hash = createHash("sha256");
  let position = 0;
  let failures = 0;
  while (position < size) {
    const before = position;
    try {
      const body = await driver.get(key, { start: position, end: size - 1 });
      if (!body) throw new Error(`Blob ${key} is gone`);
      for await (const chunk of body) {
        hash.update(chunk);
        position += chunk.byteLength;
      }
    } catch (error) {
      failures = position > before ? 1 : failures + 1;
      if (failures === maxFailures) throw error;
    }
  }
  return hash.digest("hex");
}
