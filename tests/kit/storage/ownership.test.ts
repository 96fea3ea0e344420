import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { pool, prisma } from "~/kit/database/database";
import { transaction } from "~/kit/database/transaction";
import { abandonUpload, claimFile, commitUpload, listUpload, takeDueBlobs } from "~/kit/storage/ownership";
import { everything, storage } from "./kit";

test.each<[string, (blobKey: string) => Promise<unknown>]>([
  ["a sweep took", async () => expect(await takeDueBlobs(prisma, 10)).toHaveLength(1)],
  ["its upload gave up", async (blobKey) => expect(await abandonUpload(prisma, blobKey)).toBe(true)],
])("commitUpload of a blob that %s → false, and there is no file: its bytes may be gone", async (_, condemn) => {
  const upload = { blobKey: randomUUID(), storageId: randomUUID() };
  expect(await listUpload(upload)).toBe(true);
  await pool.query('UPDATE "_unowned_blobs" SET "deleteAfter" = now()');
  await condemn(upload.blobKey);
  const received = {
    ...upload,
    sha256: "0".repeat(64),
    size: 1,
    contentType: null,
    detectedType: null,
    usedUntil: Date.now() + 1000,
  };
  expect(await commitUpload(received)).toBe(false);
  expect(await everything()).toMatchObject({ files: [], unowned: [{ blobKey: upload.blobKey }] });
  await pool.query('DELETE FROM "_unowned_blobs"');
});

test("claimFile, among many files that nobody owns, locks none of the others: those who take them do not conflict", async () => {
  await pool.query(`
    BEGIN;
    SELECT set_config('storage.row', '*', true);
    INSERT INTO "_storage" ("_id", "sha256", "size", "blobKey")
      SELECT gen_random_uuid(), repeat('0', 64), 1, gen_random_uuid() FROM generate_series(1, 400);
    COMMIT`);
  const { rows } = await pool.query<{ id: string }>('SELECT "_id" AS id FROM "_storage" LIMIT 30');
  const locks: number[] = [];
  // PostgreSQL makes a new plan for each of the first executions of a statement.
  for (const { id } of rows) {
    await transaction(async ({ run }) => {
      expect(await run((client) => claimFile(client, id, null))).not.toBeNull();
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

test.each([[null], ["https://a.test|first"]])(
  "claimFile by %s of a file that nobody owns → theirs; for everyone else null",
  async (first) => {
    const storageId = await storage.store(new Blob(["bytes"]));
    const take = async (owner: string | null) => (await claimFile(prisma, storageId, owner)) !== null;
    expect(await take(first)).toBe(true);
    expect(await take(null)).toBe(false);
    expect(await take("https://a.test|second")).toBe(false);
    expect(await take(first)).toBe(first !== null);
  },
);

test("takeDueBlobs takes no more than it is asked for, whatever plan PostgreSQL makes", async () => {
  await pool.query(`
    INSERT INTO "_unowned_blobs" ("blobKey", "deleteAfter")
    SELECT gen_random_uuid(), now() - interval '1 second' FROM generate_series(1, 10)`);
  const taken = await prisma.$transaction(async (client) => {
    // Leaves PostgreSQL only the plan that it makes for a table that was small a moment ago.
    for (const step of ["hashjoin", "mergejoin", "hashagg", "sort", "memoize", "material"])
      await client.$queryRaw`SELECT set_config(${`enable_${step}`}, 'off', true)`;
    return takeDueBlobs(client, 3);
  });
  expect(taken).toHaveLength(3);
  await pool.query('DELETE FROM "_unowned_blobs"');
});
