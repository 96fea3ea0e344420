import { maintenance, prisma } from "../database/database";

/** All files. */
export interface Totals {
  files: number;
  bytes: number;
}

/** How many files there are, and their bytes. Costs the same however many: triggers on `_storage` keep the sums. */
export async function readTotals(): Promise<Totals> {
  const { _sum } = await prisma.storageTotal.aggregate({ _sum: { files: true, bytes: true } });
  return { files: Number(_sum.files ?? 0), bytes: Number(_sum.bytes ?? 0) };
}

/** Makes one row of those that the statements since have added. Several may run at once. */
export async function foldTotals(): Promise<void> {
  await maintenance.$executeRaw`
    WITH folded AS (DELETE FROM "_storage_totals" RETURNING "files", "bytes")
    INSERT INTO "_storage_totals" ("files", "bytes")
    SELECT sum("files"), sum("bytes") FROM folded HAVING count(*) > 0`;
}
