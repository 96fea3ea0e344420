import { v7 } from "uuid";
import { z } from "zod";
import { prisma } from "../../database/database";
import { limitRate } from "../../functions/rate-limit";
import { clientNetwork } from "../../http/client-address";
import { canonicalType } from "../content-type";
import { blobs } from "../driver";
import { listUpload, uploadHours } from "../ledger";
import { allowanceOf } from "../quota";
import { checkPermit, readPermit } from "../upload/permit";
import { uploadEndpoint } from "../upload/upload-endpoint";
import { UploadError } from "../upload/upload-error";
import { readJson } from "./read-json";
import { signReceipt } from "./receipt";

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
 * `POST /api/storage/upload/direct?token=…` with `{ size, contentType?, sha256? }`: where to send the bytes and how to
 * complete, or `{ direct: null }` when this store, or an empty file, has no direct way.
 */
export const startDirect = uploadEndpoint(async (request) => {
  const permit = readPermit(new URL(request.url));
  const file = await readJson(request, announced);
  checkPermit(permit, file);
  const allowance = await allowanceOf({ owner: permit.owner, network: clientNetwork(request.headers) });
  if (file.size > allowance.remaining) throw allowance.refusal();
  if (!blobs.direct || file.size === 0) return { direct: null };
  await limitRate("directUploads", { identity: permit.owner ?? null, headers: request.headers });
  await allowance.count(file.size);

  // A key of this kind says when it was made, and so how long its URLs write: see writableUntil.
  const blobKey = v7();
  const expiresAt = Date.now() + uploadHours * 3_600_000;
  const { storageId } = permit;
  if (!(await listUpload(prisma, { blobKey, storageId }))) throw UploadError.used(storageId);
  const { uploadId, parts } = await blobs.direct.start(blobKey, file, new Date(expiresAt)).catch((error) => {
    throw UploadError.ofStore(error);
  });
  const receipt = signReceipt({ permit, blobKey, uploadId, expiresAt, ...file });
  return { direct: { parts, complete: { method: "POST", url: "/api/storage/upload/complete", receipt }, expiresAt } };
});
