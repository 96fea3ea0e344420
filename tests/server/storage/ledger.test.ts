import { expect, test } from "vitest";
import { pool } from "~/server/database";
import { takeFile } from "~/server/storage/ledger";
import { transaction } from "~/server/transaction";

test("takeFile, among many files that nobody owns, locks none of the others: those who take them do not conflict", async () => {
  await pool.query(`
    BEGIN;
    SELECT set_config('storage.row', '*', true);
    INSERT INTO "_storage" ("_id", "sha256", "size", "blobKey")
      SELECT gen_random_uuid(), repeat('0', 64), 1, gen_random_uuid() FROM generate_series(1, 400);
    COMMIT`);
  const { rows } = await pool.query<{ id: string }>('SELECT "_id" AS id FROM "_storage" LIMIT 30');
  const locks: number[] = [];
  // PostgreSQL plans a statement anew the first times.
  for (const { id } of rows) {
    await transaction(async ({ run }) => {
      expect(await run((client) => takeFile(client, id, null))).not.toBeNull();
      const [held] = await run(
        (client) => client.$queryRaw<{ pages: number }[]>`
          SELECT count(*)::int AS pages FROM pg_locks
          WHERE mode = 'SIReadLock' AND locktype <> 'tuple' AND pid = pg_backend_pid() AND relation = '"_storage"'::regclass`,
      );
      locks.push(held?.pages ?? -1);
    });
  }
  expect(Math.max(...locks)).toBe(0);
});
