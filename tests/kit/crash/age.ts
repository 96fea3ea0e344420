import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { prisma } from "~/kit/database/database";
import { env } from "~/kit/process/env";
import { uploadHours } from "~/kit/storage/ownership";

/** Milliseconds. Only uploads that take longer can meet garbage collection. */
export const youth = 1000;

/**
 * Makes blobs due for deletion: those that garbage collection took before, and those of uploads under way that are older
 * than `youth` and have begun to write. An upload that is a day old has always begun.
 */
export async function ageUploads(): Promise<void> {
  const begun = await readdir(join(env.STORAGE_DISK_PATH, "partial")).catch(() => []);
  await prisma.$executeRaw`
    UPDATE "_unowned_blobs" SET "deleteAfter" = now()
    WHERE "condemned" OR ("blobKey" = ANY(${begun})
      AND "deleteAfter" < now() + make_interval(hours => ${uploadHours + 1}, secs => ${-youth / 1000}))`;
}

/** Makes all unowned blobs due for deletion. No upload may be under way. */
export async function ageListings(): Promise<void> {
  await prisma.unownedBlob.updateMany({ data: { deleteAfter: new Date() } });
}

/** Makes files older than the grace period of unreferenced files. */
export async function ageFiles(ids: string[]): Promise<void> {
  await prisma.$transaction([
    prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
    prisma.$executeRaw`UPDATE "_storage" SET "_creationTime" = now() - interval '2 days' WHERE "_id"::text = ANY(${ids})`,
  ]);
}
