import { maintenance, prisma } from "../database/database";
import { limits } from "../process/limits";
import { blobs } from "./blobs";
import { ImageRefused, inImageTurn, isImageType, readImageMetadata } from "./images";
import { allowWrite } from "./ownership";

// The size and the placeholder of each image, in the column `image` of its file.

export interface StoredFile {
  storageId: string;
  blobKey: string;
  /** Bytes. */
  size: number;
}

/** How many first bytes are read of an image that is too large to decode. Nearly every image has its dimensions in them. */
const headBytes = 256 * 1024;

/** Looks at a new file in the background, if it is an image. When that fails, `describeImages` does it later. */
export function describeImageSoon(file: StoredFile & { detectedType: string | null }): void {
  if (isImageType(file.detectedType)) describeImage(file).catch(() => undefined);
}

async function describeImage({ storageId, blobKey, size }: StoredFile): Promise<void> {
  const isHead = size > limits.imageBytes;
  const found = await inImageTurn(async () => {
    const stream = await blobs.get(blobKey, isHead ? { start: 0, end: headBytes - 1 } : undefined);
    // The file was deleted meanwhile.
    if (!stream) return null;
    const bytes = Buffer.from(await new Response(stream).arrayBuffer());
    return readImageMetadata(bytes, { isHead }).catch((error) => {
      if (error instanceof ImageRefused) return {};
      throw error;
    });
  });
  if (!found) return;
  await prisma.$executeRaw`
    WITH ${allowWrite(storageId)}
    UPDATE "_storage" SET "image" = ${JSON.stringify(found)}::jsonb FROM permit
    WHERE "_id" = ${storageId}::uuid AND "image" IS NULL`;
}

/** Images that one run describes. */
const imagesPerRun = 500;

/** Describes images that have no description yet, newest first. */
export async function describeImages(): Promise<void> {
  const files = await maintenance.$queryRaw<StoredFile[]>`
    SELECT "_id"::text AS "storageId", "blobKey", "size"::float AS "size" FROM "_storage"
    WHERE "image" IS NULL AND "contentType" LIKE 'image/%' AND "size" > 0
    ORDER BY "_creationTime" DESC LIMIT ${imagesPerRun}`;
  for (const file of files) await describeImage(file);
}
