import { createHash } from "node:crypto";
import { z } from "zod";
import { prisma } from "../../database/database";
import { essenceOf } from "../content-type";
import { blobs } from "../driver";
import type { BlobDriver, DirectResult } from "../drivers/driver";
import { claimUpload, isSpent, uploadHours, wasOvertaken } from "../ledger";
import { allowanceOf } from "../quota";
import { discard } from "../receive";
import { uploadEndpoint } from "../upload/upload-endpoint";
import { UploadError } from "../upload/upload-error";
import { readJson } from "./read-json";
import { type Receipt, readReceipt } from "./receipt";

const completion = z.object({ receipt: z.string(), answers: z.string().max(4096).array().max(1000).default([]) });

/**
 * `POST /api/storage/upload/complete` with `{ receipt, answers }`: makes a file of what the store was sent, when it is
 * what was announced. `answers` are the bodies of the store's answers to the parts, in their order. May be repeated.
 */
export const completeDirect = uploadEndpoint(async (request) => {
  const { receipt: text, answers } = await readJson(request, completion);
  const receipt = readReceipt(text);
  if (!receipt) throw new UploadError("StorageTokenInvalid", "This is not a receipt of ours; start the upload again");
  if (receipt.expiresAt < Date.now()) {
    throw new UploadError("StorageTokenExpired", "The upload was not completed in time; ask for a new upload URL");
  }
  await checkOpen(receipt);
  try {
    const sent = await blobs.direct?.complete(receipt.blobKey, receipt, answers).catch(storeFailed);
    await claim(receipt, await verify(receipt, sent ?? null));
  } catch (error) {
    if (await wasOvertaken(prisma, error, receipt.permit.storageId)) {
      await discard(receipt.blobKey);
      throw UploadError.used(receipt.permit.storageId);
    }
    // What the client sent stays refused; what failed on our side may succeed when it asks again.
    if (error instanceof UploadError && error.status < 500) await discard(receipt.blobKey);
    throw error;
  }
  return { storageId: receipt.permit.storageId };
});

/** Refuses what needs no look at the bytes. */
async function checkOpen(receipt: Receipt): Promise<void> {
  const listed = await prisma.unownedBlob.findUnique({ where: { blobKey: receipt.blobKey } });
  if (!listed || listed.condemned) return refuseClosed(receipt);
}

/** The upload has made its file already, or was refused before. */
async function refuseClosed({ permit: { storageId } }: Receipt): Promise<never> {
  if (await isSpent(prisma, storageId)) throw UploadError.used(storageId);
  throw UploadError.incomplete("no usable");
}

/** What is in the store must be what was announced. Returns its SHA-256, for which the bytes may have to be read. */
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

async function claim(receipt: Receipt, sha256: string): Promise<void> {
  const { permit, blobKey, size, contentType } = receipt;
  const { storageId, owner } = permit;
  // Other uploads may have ended since this one began.
  const { remaining, refusal, stored } = await allowanceOf({ owner, network: null });
  if (size > remaining) throw refusal();
  const spentUntil = permit.expiresAt + 2 * uploadHours * 3_600_000;
  const file = { storageId, blobKey, sha256, size, contentType, owner, spentUntil };
  if (!(await claimUpload(prisma, file))) await refuseClosed(receipt);
  stored(size);
}

function storeFailed(error: unknown): never {
  throw UploadError.ofStore(error);
}

/** Times that a connection may break in a row without a byte read. */
const patience = 3;

/** The SHA-256 of a blob of `size` bytes, read once: after a broken connection it goes on where it was. */
async function hashBlob(driver: BlobDriver, key: string, size: number): Promise<string> {
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
      if (failures === patience) throw error;
    }
  }
  return hash.digest("hex");
}
