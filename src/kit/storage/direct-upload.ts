import { TRPCError } from "@trpc/server";
import { v7 } from "uuid";
import { z } from "zod";
import { isAdministrators } from "../auth/admin";
import { prisma } from "../database/database";
import { limitRate } from "../functions/rate-limit";
import { readJson } from "../http/body";
import { clientNetwork } from "../http/client-address";
import { blobs } from "./blobs";
import type { DirectResult } from "./drivers/driver";
import { sizesOfParts } from "./drivers/parts";
import { hashBlob } from "./hash-blob";
import { canonicalType, essenceOf } from "./headers";
import { commitUpload, isUsed, listUpload, maxUploadMs, urlUsedUntil, wasOvertaken } from "./ownership";
import { allowanceOf } from "./quota";
import { afterStored, discard, typeOfBlob } from "./receive";
import { createReceipt, type Receipt, readReceipt } from "./tokens";
import { explainUnreachable } from "./unreachable-store";
import { checkAnnounced, readTokenOf, uploadEndpoint } from "./upload";
import { storeFailed, UploadError } from "./upload-error";

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

const beginning = announced.extend({
  /** How many parts to sign at once. Default: all. */
  firstParts: z.int().min(1).optional(),
});

/** Part numbers that one request may ask to be signed. */
const partsAtOnce = 32;

const continuing = z.object({
  receipt: z.string(),
  parts: z.int().min(1).max(1000).array().max(partsAtOnce).default([]),
  /** Set when the browser cannot send to the store. */
  unreachable: z.boolean().default(false),
});

/**
 * `POST /api/storage/upload/direct?token=…` with `{ size, contentType?, sha256?, firstParts? }`: answers where to send the bytes
 * and how to complete the upload, or `{ direct: null }` when the file is empty or this store takes no direct uploads. With
 * `{ receipt, parts }` it signs the requests for these parts again.
 */
export const startDirect = uploadEndpoint(async (request) => {
  const body = await readBody(request);
  if (typeof body === "object" && body !== null && "receipt" in body) {
    return continueDirect(request, parse(continuing, body));
  }
  const token = readTokenOf(request);
  const { firstParts = 1000, ...file } = parse(beginning, body);
  checkAnnounced(token, file);
  const { storageId, owner } = token;
  const allowance = await allowanceOf({ owner, network: clientNetwork(request.headers) });
  if (file.size > allowance.remaining) throw allowance.refusal();
  if (!blobs.direct?.begin || file.size === 0) return { direct: null };
  await limitRate("directUploads", { identity: owner ?? null, headers: request.headers });
  await allowance.count(file.size);

  // A UUIDv7 says when it was made, and so until when its signed URLs can write: see `writableUntil` in ownership.ts.
  const blobKey = v7();
  const expiresAt = Date.now() + maxUploadMs;
  if (!(await listUpload({ blobKey, storageId }))) throw UploadError.used(storageId);
  const uploadId = await blobs.direct.begin(blobKey, file).catch(storeFailed);
  const sizes = sizesOfParts({ size: file.size, uploadId });
  const numbers = sizes.map((_, index) => index + 1).slice(0, firstParts);
  const parts = await blobs.direct
    .sign(blobKey, { ...file, uploadId }, numbers, new Date(expiresAt))
    .catch(storeFailed);
  const receipt = createReceipt({ permit: token, blobKey, uploadId, expiresAt, ...file });
  const complete = { method: "POST", url: "/api/storage/upload/complete", receipt };
  return { direct: { parts, partBytes: sizes[0], complete, expiresAt } };
});

/** Signs requests for parts of an upload that has begun, or gives it up when the browser cannot send them. */
async function continueDirect(request: Request, given: z.infer<typeof continuing>): Promise<object> {
  const receipt = await openReceipt(given.receipt);
  const { blobKey, permit } = receipt;
  if (!blobs.direct) return { direct: null };
  await limitRate("directUploads", { identity: permit.owner ?? null, headers: request.headers });
  const sign = (numbers: number[]) =>
    blobs.direct?.sign(blobKey, receipt, numbers, new Date(receipt.expiresAt)).catch(storeFailed);
  if (given.unreachable) {
    const [part] = (await sign([1])) ?? [];
    await discard(blobKey);
    const reason = part ? await explainUnreachable(part, request.headers.get("origin")) : null;
    return { reason: (await isAdministrators(permit.owner)) ? reason : null };
  }
  const sent = (await blobs.direct.sent?.(blobKey, receipt).catch(storeFailed)) ?? [];
  const count = sizesOfParts(receipt).length;
  const numbers = given.parts.filter((number) => number <= count && !sent.includes(number));
  const signed = numbers.length > 0 ? ((await sign(numbers)) ?? []) : [];
  return { parts: signed.map((part, index) => ({ number: numbers[index], ...part })), sent };
}

/** Reads the receipt of an upload that is neither complete nor refused. */
async function openReceipt(text: string): Promise<Receipt> {
  const receipt = readReceipt(text);
  if (!receipt)
    throw new UploadError("StorageTokenInvalid", "This app did not sign the receipt. Start the upload again.");
  if (receipt.expiresAt < Date.now()) {
    throw new UploadError("StorageTokenExpired", "The upload was not completed in time; ask for a new upload URL");
  }
  const listed = await prisma.unownedBlob.findUnique({ where: { blobKey: receipt.blobKey } });
  if (!listed || listed.condemned) return refuseClosed(receipt.permit.storageId);
  return receipt;
}

const completion = z.object({ receipt: z.string(), answers: z.string().max(4096).array().max(1000).default([]) });

/**
 * `POST /api/storage/upload/complete` with `{ receipt, answers }`: makes the file when the store has the bytes that were
 * announced. `answers` are the bodies of the store's answers to the parts, in their order. A client may repeat the request.
 */
export const completeDirect = uploadEndpoint(async (request) => {
  const { receipt: text, answers } = parse(completion, await readBody(request));
  const receipt = await openReceipt(text);
  const { blobKey } = receipt;
  const { storageId } = receipt.permit;
  try {
    const sent = await blobs.direct?.complete(blobKey, receipt, answers).catch(storeFailed);
    if (!sent || "missing" in sent) throw UploadError.missing(sent?.missing ?? []);
    await commit(receipt, await verify(receipt, sent));
  } catch (error) {
    if (await wasOvertaken(prisma, error, storageId)) {
      await discard(blobKey);
      throw UploadError.used(storageId);
    }
    // Wrong bytes stay wrong. After a failure of the server the client may try again with the same receipt.
    if (error instanceof UploadError && error.isFinal) await discard(blobKey);
    throw error;
  }
  return { storageId };
});

/** Enough for the answers to a thousand parts. */
const maxBodyBytes = 1024 * 1024;
const maxBodyValues = 20_000;

async function readBody(request: Request): Promise<unknown> {
  return readJson(request, maxBodyBytes, maxBodyValues).catch((cause) => {
    if (!(cause instanceof TRPCError)) throw cause;
    const code = cause.code === "PAYLOAD_TOO_LARGE" ? "FileTooLarge" : "BadQueryArgs";
    throw new UploadError(code, `Cannot read the body: ${cause.message}`, {}, { cause });
  });
}

function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const { data, error } = schema.safeParse(body);
  if (error) throw new UploadError("BadQueryArgs", z.prettifyError(error).replaceAll("✖ ", ""));
  return data;
}

/** Refuses an upload that has already made its file, or that was refused before. */
async function refuseClosed(storageId: string): Promise<never> {
  if (await isUsed(prisma, storageId)) throw UploadError.used(storageId);
  throw UploadError.incomplete("no usable");
}

/** Compares the bytes in the store with what was announced. Returns their SHA-256, which may require reading all of them. */
async function verify(receipt: Receipt, sent: DirectResult): Promise<string> {
  if (sent.size !== receipt.size) throw UploadError.incomplete(`${sent.size} of ${receipt.size}`);
  const { contentType, sha256 } = receipt;
  if (contentType !== null && sent.contentType && essenceOf(sent.contentType) !== essenceOf(contentType)) {
    const message = `The file was announced as ${contentType} and sent as ${sent.contentType}; send it again`;
    throw new UploadError("ContentTypeNotAllowed", message);
  }
  const actual = sent.sha256 ?? (await hashBlob(blobs, receipt.blobKey, receipt.size));
  if (sha256 !== undefined && sha256 !== actual) throw UploadError.sha256Mismatch(sha256, actual);
  return actual;
}

async function commit({ permit, blobKey, size, contentType }: Receipt, sha256: string): Promise<void> {
  const { storageId, owner } = permit;
  // Other uploads may have ended since this one began.
  const { remaining, refusal, stored } = await allowanceOf({ owner, network: null });
  if (size > remaining) throw refusal();
  const detectedType = await typeOfBlob(blobKey, size).catch(storeFailed);
  const file = { storageId, blobKey, sha256, size, contentType, detectedType, owner, usedUntil: urlUsedUntil(permit) };
  if (!(await commitUpload(file))) await refuseClosed(storageId);
  stored(size);
  await afterStored(file);
}
