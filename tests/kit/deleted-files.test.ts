import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { pool, prisma } from "~/kit/database/database";
import { mutation } from "~/kit/functions/builders";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { readUpkeep, upkeep } from "~/kit/jobs/housekeeping";
import { env } from "~/kit/process/env";
import { serveHealth } from "~/kit/process/health";
import { processWide } from "~/kit/process/process-wide";
import { blobs } from "~/kit/storage/blobs";
import { storageId } from "~/kit/storage/file";
import {
  deleteUnownedBlobs,
  deleteUnreferenced,
  listDeletedFiles,
  readLooseReferences,
} from "~/kit/storage/garbage-collection";
import { deleteFile, restoreFile } from "~/kit/storage/ownership";
import { serve } from "~/kit/storage/serve";
import { refuseForeignStore, storeIdKey } from "~/kit/storage/store-id";
import { apiOf, uploadFile } from "./caller";
import { eventually } from "./eventually";
import { storage } from "./storage/kit";

const mutate = actionCtx(createSystemContext()).runMutation;
const act = actionCtx(createSystemContext()).runAction;
const remove = mutation({
  args: { storageId: storageId() },
  handler: (ctx, { storageId }) => ctx.storage.delete(storageId),
});
const erase = mutation({
  args: { storageId: storageId() },
  handler: (ctx, { storageId }) => ctx.storage.delete(storageId, { permanently: true }),
});
const retention = (hours: number) => vi.spyOn(env, "DELETED_FILE_RETENTION_HOURS", "get").mockReturnValue(hours);
const keyOf = async (id: string) =>
  (await prisma.storage.findUniqueOrThrow({ where: { id }, omit: { blobKey: false } })).blobKey;
const comparison = () => processWide("store comparison", () => ({ promise: null as Promise<string | null> | null }));

async function age(): Promise<void> {
  await prisma.$transaction([
    prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
    prisma.$executeRaw`UPDATE "_storage" SET "_creationTime" = now() - interval '2 days', "restoredAt" = NULL`,
  ]);
}

beforeEach(() => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("a deleted file", () => {
  test("keeps its bytes for the retention, is 404 meanwhile, and comes back as it was", async () => {
    retention(24);
    const id = await uploadFile("kept a while", "text/plain");
    const before = await prisma.storage.findUniqueOrThrow({ where: { id }, omit: { blobKey: false } });
    const url = (await storage.getUrl(id)) ?? "";
    await mutate(remove, { storageId: id });
    await deleteUnownedBlobs();
    expect((await serve(new Request(url))).status).toBe(404);
    expect((await listDeletedFiles(10))[0]).toMatchObject({ storageId: id, size: 12, contentType: "text/plain" });
    expect(await restoreFile(prisma, id)).toBe(true);
    expect(await prisma.storage.findUniqueOrThrow({ where: { id }, omit: { blobKey: false } })).toEqual({
      ...before,
      restoredAt: expect.any(Date),
    });
    expect(await (await serve(new Request(url))).text()).toBe("kept a while");
    expect(await restoreFile(prisma, id)).toBe(false);
    // The file keeps its creation time, and is not collected at once.
    await prisma.$transaction([
      prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
      prisma.$executeRaw`UPDATE "_storage" SET "_creationTime" = now() - interval '2 days'`,
    ]);
    await deleteUnreferenced();
    expect(await prisma.storage.count({ where: { id } })).toBe(1);
  });

  test("whose time is over, or that a sweep has taken, cannot come back", async () => {
    retention(24);
    const id = await uploadFile("gone");
    await mutate(remove, { storageId: id });
    const key = (
      await prisma.$queryRaw<{ key: string }[]>`
      SELECT "blobKey" AS key FROM "_unowned_blobs" WHERE "fileId" = ${id}::uuid`
    )[0]?.key;
    await prisma.$executeRaw`UPDATE "_unowned_blobs" SET "deleteAfter" = now() WHERE "fileId" = ${id}::uuid`;
    const [, restored] = await Promise.all([deleteUnownedBlobs(), restoreFile(prisma, id)]);
    // One of the two succeeds, never both.
    await eventually(async () => {
      await deleteUnownedBlobs();
      expect([await prisma.storage.count({ where: { id } }), (await blobs.head(key ?? "")) !== null]).toEqual([
        restored ? 1 : 0,
        restored,
      ]);
    });
  });

  test("for good, loses its bytes at once, also when it was deleted before", async () => {
    retention(24);
    const [once, before] = await Promise.all([uploadFile("at once"), uploadFile("before")]);
    const keys = [await keyOf(once), await keyOf(before)];
    await mutate(erase, { storageId: once });
    await mutate(remove, { storageId: before });
    await mutate(erase, { storageId: before });
    await eventually(async () => {
      await deleteUnownedBlobs();
      expect(await Promise.all(keys.map((key) => blobs.head(key)))).toEqual([null, null]);
    });
    expect([await restoreFile(prisma, once), await restoreFile(prisma, before)]).toEqual([false, false]);
  });

  test("of an owner over the quota: the oldest go first; when the disk runs short, those of all", async () => {
    retention(24);
    vi.spyOn(env, "STORAGE_QUOTA", "get").mockReturnValue(10);
    const deleted: string[] = [];
    for (const body of ["1234", "5678", "9012"]) {
      const id = await uploadFile(body, "text/plain", apiOf("keeper"));
      await deleteFile(prisma, id);
      deleted.push(id);
    }
    await deleteUnownedBlobs();
    expect((await listDeletedFiles(10)).map(({ storageId }) => storageId)).toEqual([deleted[2], deleted[1]]);
    vi.spyOn(blobs, "space").mockResolvedValue({ total: 100, free: 2 });
    await deleteUnownedBlobs();
    expect((await listDeletedFiles(10)).map(({ storageId }) => storageId)).toEqual([deleted[2]]);
  });
});

describe("columns without a foreign key", () => {
  test.each([
    ["uuid", "uuid", (id: string) => `'${id}'`],
    ["uuids", "uuid[]", (id: string) => `ARRAY['${id}']::uuid[]`],
    ["text", "text", (id: string) => `'${id.toUpperCase()}'`],
    ["texts", "text[]", (id: string) => `ARRAY['a', '${id}']`],
    ["varchar", "varchar(64)", (id: string) => `'${id}'`],
    ["jsonb", "jsonb", (id: string) => `'{"a": [{"b": "${id}"}]}'`],
    ["json key", "json", (id: string) => `'{"${id}": true}'`],
  ])("(%s) keep the files they name, and are named", async (name, type, value) => {
    const [named, loose] = await Promise.all([uploadFile("named"), uploadFile("loose")]);
    await age();
    await pool.query(`CREATE TABLE "loose ${name}" (n int, "the file" ${type})`);
    await pool.query(`INSERT INTO "loose ${name}" SELECT n, NULL FROM generate_series(1, 100) AS n`);
    await pool.query(`INSERT INTO "loose ${name}" VALUES (0, ${value(named)})`);
    await deleteUnreferenced();
    const left = await prisma.storage.findMany({ where: { id: { in: [named, loose] } }, select: { id: true } });
    expect(left).toEqual([{ id: named }]);
    expect(await readLooseReferences()).toEqual([{ column: `loose ${name}.the file`, files: 1 }]);
    await pool.query(`DROP TABLE "loose ${name}"`);
    await deleteUnreferenced();
    expect(await prisma.storage.count({ where: { id: named } })).toBe(0);
  });

  test("that cannot be read, keep every file", async () => {
    const id = await uploadFile("unknown");
    await age();
    await pool.query(`CREATE TABLE unreadable (j json)`);
    await pool.query(`INSERT INTO unreadable VALUES ('{"a": "\\u0000"}')`);
    await expect(deleteUnreferenced()).rejects.toThrow("Cannot look for files in unreadable");
    expect(await prisma.storage.count({ where: { id } })).toBe(1);
    await pool.query("DROP TABLE unreadable");
  });
});

describe("the quota", () => {
  test("counts an upload without an identity when it is claimed", async () => {
    vi.spyOn(env, "STORAGE_QUOTA", "get").mockReturnValue(10);
    const [small, large] = await Promise.all([uploadFile("1234567"), uploadFile("2345678")]);
    const ann = apiOf("quota ann");
    await ann.files.saveFile({ storageId: small, name: "a" });
    await expect(ann.files.saveFile({ storageId: large, name: "b" })).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
    expect(await prisma.storage.findUnique({ where: { id: large } })).toMatchObject({ owner: null, claimed: false });
  });
});

describe("a store that is not the database's", () => {
  afterEach(async () => {
    comparison().promise = null;
    await blobs.delete(storeIdKey);
    await prisma.systemState.deleteMany({ where: { key: "storeId" } });
  });

  test("is noticed by its id: nothing is collected or swept, and a sentence says what to do", async () => {
    comparison().promise = null;
    await refuseForeignStore();
    const id = await uploadFile("theirs");
    const key = await keyOf(id);
    await blobs.delete(storeIdKey);
    await blobs.put(storeIdKey, new Blob(["another"]).stream());
    comparison().promise = null;
    await expect(refuseForeignStore()).rejects.toThrow(
      /belongs to the blob store .* this one is another.*DATABASE_URL/,
    );
    await age();
    await expect(deleteUnreferenced()).rejects.toThrow("Clean-up is refused");
    await mutate(erase, { storageId: id });
    await expect(deleteUnownedBlobs()).rejects.toThrow("Clean-up is refused");
    expect(await blobs.head(key)).toEqual({ size: 6 });
  });

  test("is not what processes that start together make of a new one, also when a write of one fails late", async () => {
    const { put } = blobs;
    const starts: Promise<void>[] = [];
    let writes = 0;
    vi.spyOn(blobs, "put").mockImplementation(async (...args) => {
      writes += 1;
      if (writes === 1) return put(...args);
      // Does what the disk driver does when it cannot write, after the first process has finished.
      await starts[0];
      await blobs.delete(storeIdKey);
      throw new Error("The disk failed");
    });
    while (starts.length < 2) {
      comparison().promise = null;
      starts.push(refuseForeignStore());
    }
    await Promise.allSettled(starts);
    vi.restoreAllMocks();
    await uploadFile("the first");
    comparison().promise = null;
    await refuseForeignStore();
  });

  test("is not what a process leaves that was killed while it wrote the id", async () => {
    await mkdir(join(env.STORAGE_DISK_PATH, "partial"), { recursive: true });
    await writeFile(join(env.STORAGE_DISK_PATH, "partial", storeIdKey), "half");
    comparison().promise = null;
    await refuseForeignStore();
    expect(await blobs.head(storeIdKey)).toEqual({ size: 36 });
  });

  test("or is empty although the database has files, is refused; an empty one of an empty database is taken", async () => {
    comparison().promise = null;
    await refuseForeignStore();
    await uploadFile("here");
    await blobs.delete(storeIdKey);
    comparison().promise = null;
    await expect(refuseForeignStore()).rejects.toThrow("this one has no id");
  });
});

describe("upkeep", () => {
  test("goes on after a step that fails, and /api/health and the dashboard tell of it", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    await uploadFile("stuck").then((storageId) => mutate(remove, { storageId }));
    await refuseForeignStore();
    vi.spyOn(blobs, "delete").mockRejectedValue(new Error("The store is stuck, secretly"));
    await pool.query(`INSERT INTO _rate_limits VALUES ('old', 1, 5), ('new', 1, ${Date.now() + 60_000})`);
    const id = await uploadFile("to be swept");
    await mutate(erase, { storageId: id });
    await act(upkeep);
    expect(await pool.sql("SELECT key FROM _rate_limits WHERE key IN ('old', 'new')")).toEqual([{ key: "new" }]);
    expect(await readUpkeep()).toMatchObject({
      sweep: { failedSince: expect.any(Number), error: expect.stringContaining("Could not delete") },
      visitors: { succeeded: expect.any(Number) },
    });
    const health = await serveHealth(new Request("http://app.test/api/health"));
    const answer = await health.text();
    expect(health.status).toBe(200);
    expect(JSON.parse(answer)).toMatchObject({ upkeep: { failing: [{ step: "sweep", since: expect.any(String) }] } });
    expect(answer).not.toContain("secretly");
    vi.restoreAllMocks();
    await prisma.$executeRaw`UPDATE "_unowned_blobs" SET "deleteAfter" = now()`;
    await act(upkeep);
    expect((await readUpkeep()).sweep?.failedSince).toBeUndefined();
  });

  test("forgets sessions that are over, and visitors who cannot come back", async () => {
    const user = (id: string, days: number, session?: number) =>
      pool.query(`
      INSERT INTO _users (_id, name, email, "isAnonymous", "updatedAt")
        VALUES ('${id}', 'Visitor', '${id}@visitors.invalid', true, now() - interval '${days} days');
      ${session === undefined ? "" : `INSERT INTO _sessions (_id, token, "expiresAt", "updatedAt", "userId") VALUES ('${id}', '${id}', now() + interval '${session} days', now(), '${id}')`}`);
    await user("back", 60, 3);
    await user("gone", 60, -3);
    await user("young", 3);
    await act(upkeep);
    const left = await prisma.user.findMany({
      where: { id: { in: ["back", "gone", "young"] } },
      orderBy: { id: "asc" },
    });
    expect(left.map(({ id }) => id)).toEqual(["back", "young"]);
  });
});
