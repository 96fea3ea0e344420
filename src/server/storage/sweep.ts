import { prisma } from "../database";
import { type Collected, collectFiles, countUnreferenced } from "./collect";
import { blobs } from "./driver";
import { takeCondemned, unlist } from "./ledger";

const batch = 100;

export interface Swept extends Collected {
  /** Whose bytes are gone: of files deleted, now or before, and of uploads that died. */
  blobs: number;
  /** Whether the files were only counted, as the first sweep of a production database does. */
  reportOnly: boolean;
}

/** Collects the files that nothing refers to, then deletes the bytes that nothing owns (SPEC §6). */
export async function sweep(): Promise<Swept> {
  const reportOnly = process.env.NODE_ENV === "production" && (await isFirstSweep());
  const collected = await (reportOnly ? countUnreferenced() : collectFiles());
  if (reportOnly && collected.files > 0) {
    console.warn(
      `Nothing refers to ${collected.files} files (${collected.bytes} bytes). This first sweep leaves them; the next, a ` +
        "day from now or later, deletes them. `npm run sweep -- --dry-run` lists them.",
    );
  }
  await prisma.spentUpload.deleteMany({ where: { expiresAt: { lt: new Date() } } });
  return { ...collected, reportOnly, blobs: await sweepBlobs() };
}

/** True until a day after the first sweep of this database, which is time to see what it said. */
async function isFirstSweep(): Promise<boolean> {
  const [state] = await prisma.$queryRaw<{ first: boolean }[]>`
    INSERT INTO "_system_state" ("key", "value") VALUES ('firstSweep', to_jsonb(now()))
    ON CONFLICT ("key") DO UPDATE SET "value" = "_system_state"."value"
    RETURNING ("value" #>> '{}')::timestamptz > now() - interval '1 day' AS first`;
  return state?.first ?? true;
}

/**
 * Deletes the bytes that nothing owns. Several may run at once, and a crash loses nothing, since a blob is forgotten
 * only once it is gone. Returns how many went.
 */
export async function sweepBlobs(): Promise<number> {
  let swept = 0;
  const failures: unknown[] = [];
  for (;;) {
    const taken = await takeCondemned(prisma, batch);
    const outcomes = await Promise.allSettled(taken.map((blobKey) => blobs.delete(blobKey)));
    const deleted = taken.filter((_, index) => outcomes[index]?.status === "fulfilled");
    failures.push(...outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : [])));
    if (deleted.length > 0) await unlist(prisma, deleted);
    swept += deleted.length;
    // A store that deletes none of them is down: the others can wait.
    if (taken.length < batch || deleted.length === 0) break;
  }
  // What failed stays listed, and is tried again in ten minutes.
  if (failures.length > 0) throw new Error(`Could not delete ${failures.length} blobs`, { cause: failures[0] });
  return swept;
}

/** Sweeps without making the caller wait. What fails is tried again by the next sweep. */
export function sweepSoon(): void {
  sweepBlobs().catch((error) => console.error("Could not sweep deleted files, will try again:", error));
}
