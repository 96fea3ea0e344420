import { prisma } from "../database";
import { blobs } from "./driver";
import { takeCondemned, unlist } from "./ledger";

const batch = 100;

/**
 * Deletes the bytes that nothing owns: of deleted files, and of uploads that died. Several may run at once, and a crash
 * loses nothing, since a blob is forgotten only once it is gone. Returns how many went.
 */
export async function sweepBlobs(): Promise<number> {
  let swept = 0;
  for (;;) {
    const taken = await takeCondemned(prisma, batch);
    for (const blobKey of taken) await blobs.delete(blobKey);
    if (taken.length > 0) await unlist(prisma, taken);
    await prisma.$executeRaw`DELETE FROM "_spent_uploads" WHERE "expiresAt" < now()`;
    swept += taken.length;
    if (taken.length < batch) return swept;
  }
}

/** Sweeps without making the caller wait. What fails is tried again by the next sweep. */
export function sweepSoon(): void {
  sweepBlobs().catch((error) => console.error("Could not sweep deleted files, will try again:", error));
}
