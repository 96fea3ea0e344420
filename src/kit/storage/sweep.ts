import { maintenance, prisma } from "../database/database";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { type Collected, collectFiles, countUnreferenced } from "./collect";
import { blobs } from "./driver";
import { takeCondemned, unlist } from "./ledger";
import { ForeignStore, refuseForeignStore } from "./store-id";

const batch = 100;

interface Swept extends Collected {
  /** Whose bytes are gone: of files deleted, now or before, and of uploads that died. */
  blobs: number;
  /** Whether the files were only counted, as the first sweep of a production database does. */
  reportOnly: boolean;
}

/** Collects the files that nothing refers to. */
export async function collect(): Promise<Omit<Swept, "blobs">> {
  const reportOnly = process.env.NODE_ENV === "production" && (await isFirstSweep());
  const collected = await (reportOnly ? countUnreferenced() : collectFiles());
  if (reportOnly && collected.files > 0) {
    console.warn(
      `Nothing refers to ${collected.files} files (${collected.bytes} bytes). This first sweep leaves them; the next, a ` +
        "day from now or later, deletes them. `npm run sweep -- --dry-run` lists them.",
    );
  }
  return { ...collected, reportOnly };
}

/** Collects the files that nothing refers to, then deletes the bytes that nothing owns. */
export async function sweep(): Promise<Swept> {
  const collected = await collect();
  await forgetSpentUploads();
  return { ...collected, blobs: await sweepBlobs() };
}

/** Forgets the upload URLs that made a file and have expired since. */
export async function forgetSpentUploads(): Promise<number> {
  return maintenance.$executeRaw`DELETE FROM "_spent_uploads" WHERE "expiresAt" < now()`;
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
 *
 * @param boundsKept whether to look if more bytes of deleted files are kept than may be, which reads all that are kept
 */
export async function sweepBlobs({ boundsKept = true } = {}): Promise<number> {
  await refuseForeignStore();
  if (boundsKept) await letGoOfKept();
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

/**
 * Bytes of deleted files are kept within the bounds of stored ones: each owner's within `STORAGE_QUOTA`, together with what
 * they store, and all of them only while a twentieth of the disk is free. Beyond that the oldest go first.
 */
async function letGoOfKept(): Promise<void> {
  await prisma.$executeRaw`
    WITH kept AS (
      SELECT "blobKey", "owner", sum("size") OVER (PARTITION BY "owner" ORDER BY "deletedAt" DESC, "blobKey") AS bytes
      FROM "_unowned_blobs" WHERE "file" IS NOT NULL AND "owner" IS NOT NULL AND "deleteAfter" > now()
    ), stored AS (
      SELECT "owner", coalesce((SELECT sum("size") FROM "_storage" WHERE "_storage"."owner" = owners."owner"), 0) AS bytes
      FROM (SELECT DISTINCT "owner" FROM kept) AS owners
    )
    UPDATE "_unowned_blobs" SET "deleteAfter" = now()
    WHERE "blobKey" IN (
      SELECT "blobKey" FROM kept JOIN stored USING ("owner") WHERE kept.bytes + stored.bytes > ${env.STORAGE_QUOTA}
    )`;
  const space = await blobs.space?.();
  const missing = space ? space.total * limits.diskReserve - space.free : 0;
  if (missing <= 0) return;
  await prisma.$executeRaw`
    UPDATE "_unowned_blobs" SET "deleteAfter" = now() WHERE "blobKey" IN (
      SELECT "blobKey" FROM (
        SELECT "blobKey", sum("size") OVER (ORDER BY "deletedAt", "blobKey") - "size" AS before
        FROM "_unowned_blobs" WHERE "file" IS NOT NULL AND "deleteAfter" > now()
      ) AS kept WHERE before < ${missing}
    )`;
}

/** Milliseconds between two looks at what is kept that deletions set off; each upkeep looks, too. */
const boundsInterval = 60_000;
let boundsAt = 0;

/** Sweeps without making the caller wait. What fails is tried again by the next sweep. */
export function sweepSoon(): void {
  const boundsKept = Date.now() - boundsAt > boundsInterval;
  if (boundsKept) boundsAt = Date.now();
  sweepBlobs({ boundsKept }).catch((error) => {
    // Said at the start, and by each upkeep.
    if (!(error instanceof ForeignStore)) console.error("Could not sweep deleted files, will try again:", error);
  });
}
