import { createHash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { pool, prisma } from "../database/database";
import { foreignKeyViolation, sqlState } from "../database/errors";
import { limits } from "../process/limits";
import { processWide } from "../process/process-wide";
import { blobs } from "./blobs";
import type { Chunk } from "./drivers/driver";
import { type FileMetadata, type FileRow, fileColumns, toMetadata } from "./file";
import { ImageRefused, inImageTurn, makeImage } from "./images";
import {
  abandonVariant,
  claimVariant,
  commitVariant,
  type VariantKey,
  type VariantRefusal,
  type VariantResult,
} from "./ownership";
import { discard, refuseFullDisk } from "./receive";
import type { ImageForm } from "./tokens";

// Images in other sizes and formats. Each is made by the first request for it, once for all processes, and then served as a file.

/** Why a file is not served as an image, for the person who sees the response. */
export const refusals: Record<VariantRefusal, string> = {
  NotAnImage: "The file is not a JPEG, PNG, GIF, WebP or AVIF image",
  ImageUnreadable: "The image is damaged",
  ImageTooLarge: `The image has more than ${limits.imagePixels / 1_000_000} megapixels or ${limits.imageBytes / 1024 ** 2} MiB`,
  ImageTooSlow: "The image takes too long to decode",
};

/** Too many images are being made. */
export class ImagesBusy extends Error {
  override name = "ImagesBusy";
}

interface FoundImage {
  file: FileMetadata;
  blobKey: string;
  /** Whether the bytes were made of the file, and can be made again. */
  isVariant: boolean;
}

/** How long a request waits for an image that another process makes, and how long it waits before it looks again. */
const patienceMs = 60_000;
const pollMs = 100;

/**
 * Returns a file as an image, which is made if it was not made before; `null` when there is no such file.
 *
 * @param accept the request's header
 * @throws ImagesBusy
 */
export async function findImage(
  storageId: string,
  image: ImageForm,
  accept: string | null,
): Promise<FoundImage | { refusal: VariantRefusal } | null> {
  const key = { ...image, storageId, format: image.format === "auto" ? bestFormat(accept ?? "") : image.format };
  const giveUpAt = Date.now() + patienceMs;
  for (;;) {
    const row = await readVariant(key);
    if (!row || row.held) return null;
    const original = { file: toMetadata(row), blobKey: row.blobKey, isVariant: false };
    switch (row.result) {
      case "made": {
        const { madeAt, madeSha256: sha256, madeSize, madeType: contentType } = row;
        const file = { ...original.file, _creationTime: madeAt.getTime(), sha256, size: Number(madeSize), contentType };
        return { file, blobKey: row.madeKey, isVariant: true };
      }
      case "original":
        return original;
      case null:
        break;
      default:
        return { refusal: row.result };
    }
    const isMade = await makeOnce(key, original);
    if (Date.now() > giveUpAt) throw new ImagesBusy("The image is still being made. Try again in a moment");
    if (!isMade) await sleep(pollMs);
  }
}

/** `fallback` for clients that name neither of the modern formats, such as those that only send `*\/*`. */
function bestFormat(accept: string): VariantKey["format"] {
  const accepted = accept
    .toLowerCase()
    .split(",")
    .map((part) => part.split(";").map((text) => text.trim()))
    .flatMap(([type, ...parameters]) => (parameters.some((text) => /^q=0(\.0*)?$/.test(text)) ? [] : [type]));
  if (accepted.includes("image/avif")) return "avif";
  return accepted.includes("image/webp") ? "webp" : "fallback";
}

type VariantRow = FileRow & { blobKey: string } & (
    | { result: VariantRefusal | "original" | null }
    | { result: "made"; madeKey: string; madeAt: Date; madeSha256: string; madeSize: string; madeType: string }
  );

/** Reads the file and the image in one statement, because serving waits for it. `null` when there is no such file. */
async function readVariant({ storageId, width, shape, format }: VariantKey): Promise<VariantRow | null> {
  const [row] = await pool.sql<VariantRow>(
    `SELECT ${fileColumns}, "blobKey", v.* FROM "_storage" LEFT JOIN (
       SELECT "blobKey" AS "madeKey", "creationTime" AS "madeAt", "sha256" AS "madeSha256", "size" AS "madeSize",
         "contentType" AS "madeType", CASE WHEN "leaseUntil" IS NULL OR "leaseUntil" > now() THEN "result" END AS "result"
       FROM "_storage_variants" WHERE "fileId" = $1 AND "width" = $2 AND "shape" = $3 AND "format" = $4
     ) AS v ON true
     WHERE "_id" = $1`,
    [storageId, width, shape, format],
  );
  return row ?? null;
}

const underWay = processWide("images being made", () => new Map<string, Promise<boolean>>());

/** Makes an image, once for all requests of this process. Returns `false` when another process is making it. */
function makeOnce(key: VariantKey, original: FoundImage): Promise<boolean> {
  const name = [key.storageId, key.width, key.shape, key.format].join();
  const running = underWay.get(name);
  if (running) return running;
  const started = inImageTurn(() => make(key, original))
    .catch((error) => {
      // Each bundle of Next.js may have its own class of this error.
      const isFull = error instanceof Error && "code" in error && error.code === "TOO_MANY_REQUESTS";
      throw isFull ? new ImagesBusy(error.message) : error;
    })
    .finally(() => underWay.delete(name));
  underWay.set(name, started);
  return started;
}

async function make(key: VariantKey, original: FoundImage): Promise<boolean> {
  const blobKey = randomUUID();
  try {
    if (!(await claimVariant(prisma, key, blobKey))) return false;
  } catch (error) {
    // The file was deleted meanwhile, which the caller finds out.
    if (sqlState(error) === foreignKeyViolation) return true;
    throw error;
  }
  try {
    const outcome = await write(blobKey, key, original);
    if (!(await commitVariant(prisma, key, blobKey, outcome))) await discard(blobKey);
  } catch (error) {
    await abandonVariant(prisma, blobKey);
    await discard(blobKey, { mayReturn: true });
    if ((await prisma.storage.count({ where: { id: key.storageId } })) === 0) return true;
    throw error;
  }
  return true;
}

/** Makes the image and writes it to the store. */
async function write(blobKey: string, key: VariantKey, { file, blobKey: source }: FoundImage): Promise<VariantResult> {
  if (file.size > limits.imageBytes) return { result: "ImageTooLarge" };
  const stream = await blobs.get(source);
  if (!stream) throw new Error(`Blob ${source} of file ${key.storageId} is not in the store`);
  const bytes = Buffer.from(await new Response(stream).arrayBuffer());
  const made = await makeImage(bytes, key).catch((error) => {
    if (error instanceof ImageRefused) return error.code;
    throw error;
  });
  if (typeof made === "string") return { result: made };
  const data = new Uint8Array(made.data);
  await refuseFullDisk(data.byteLength);
  await blobs.put(blobKey, once(data), made.contentType, data.byteLength);
  const sha256 = createHash("sha256").update(data).digest("hex");
  return { result: "made", sha256, size: data.byteLength, contentType: made.contentType };
}

async function* once(chunk: Chunk): AsyncGenerator<Chunk> {
  yield chunk;
}
