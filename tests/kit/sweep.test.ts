import { randomUUID } from "node:crypto";
import { mkdir, readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { env } from "~/kit/process/env";
import { blobs } from "~/kit/storage/blobs";
import { newStorageId } from "~/kit/storage/file";
import {
  collectGarbage,
  countUnreferenced,
  deleteUnownedBlobs,
  deleteUnreferenced,
  listUnreferenced,
} from "~/kit/storage/garbage-collection";
import { commitUpload, listUpload } from "~/kit/storage/ownership";
import { findLooseReferences, findReferences } from "~/kit/storage/references";
import { storeIdKey } from "~/kit/storage/store-id";
import { api, apiOf, post, uploadFile } from "./caller";
import { eventually } from "./eventually";

/** The keys of all blobs on the disk. */
async function stored(): Promise<string[]> {
  const entries = await readdir(env.STORAGE_DISK_PATH, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && entry.name !== storeIdKey).map(({ name }) => name);
}

/** Makes files older than the grace period, and listed blobs due. */
async function age(): Promise<void> {
  await prisma.$transaction([
    prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
    prisma.$executeRaw`UPDATE "_storage" SET "_creationTime" = "_creationTime" - interval '2 days'`,
    prisma.$executeRaw`UPDATE "_unowned_blobs" SET "deleteAfter" = "deleteAfter" - interval '2 days'`,
  ]);
}

async function listedUpload(): Promise<{ blobKey: string; storageId: string }> {
  const upload = { blobKey: randomUUID(), storageId: newStorageId() };
  await listUpload(upload);
  await blobs.put(upload.blobKey, new Blob(["dead"]).stream());
  return upload;
}

const received = { sha256: "0".repeat(64), size: 4, contentType: null, detectedType: null, usedUntil: Date.now() };

beforeEach(async () => {
  await prisma.message.deleteMany();
  await prisma.file.deleteMany();
  await age();
  await deleteUnreferenced();
  await deleteUnownedBlobs();
  expect(await stored()).toEqual([]);
});

describe("deleteUnownedBlobs", () => {
  test("deletes the bytes of deleted files and of dead uploads, and no others", async () => {
    const [kept, deleted] = await Promise.all([uploadFile("kept"), uploadFile("deleted")]);
    await apiOf("ann").files.saveFile({ storageId: deleted, name: "a" });
    await listedUpload();
    await prisma.$executeRaw`UPDATE "_unowned_blobs" SET "deleteAfter" = now()`;
    await apiOf("ann").files.delete({ storageId: deleted });
    await eventually(async () => expect(await prisma.unownedBlob.count()).toBe(0));
    const { blobKey } = await prisma.storage.findUniqueOrThrow({ where: { id: kept }, omit: { blobKey: false } });
    expect(await stored()).toEqual([blobKey]);
  });

  test("leaves uploads under way alone", async () => {
    const { blobKey } = await listedUpload();
    expect(await deleteUnownedBlobs()).toBe(0);
    expect(await blobs.head(blobKey)).toEqual({ size: 4 });
  });

  test("takes a blob that no upload can claim afterwards", async () => {
    const upload = await listedUpload();
    await age();
    expect(await deleteUnownedBlobs()).toBe(1);
    expect(await commitUpload({ ...upload, ...received })).toBe(false);
    expect(await prisma.storage.count()).toBe(0);
  });

  test("finds a blob claimed in the meantime owned, and leaves it", async () => {
    const upload = await listedUpload();
    await age();
    expect(await commitUpload({ ...upload, ...received })).toBe(true);
    expect(await deleteUnownedBlobs()).toBe(0);
    expect(await blobs.head(upload.blobKey)).toEqual({ size: 4 });
  });

  test("takes an upload before its first byte, which then fails and leaves nothing", async () => {
    const { put } = blobs;
    vi.spyOn(blobs, "put").mockImplementationOnce(async (...args) => {
      await age();
      expect(await deleteUnownedBlobs()).toBe(1);
      await put(...args);
    });
    const response = await post(await api.files.generateUploadUrl(), "late");
    expect(response.status).toBe(500);
    expect([await stored(), await prisma.unownedBlob.count()]).toEqual([[], 0]);
  });

  test("runs several at once, each blob deleted once", async () => {
    await Promise.all(Array.from({ length: 250 }, listedUpload));
    await age();
    const counts = await Promise.all([deleteUnownedBlobs(), deleteUnownedBlobs(), deleteUnownedBlobs()]);
    expect(counts.reduce((sum, count) => sum + count)).toBe(250);
    expect([await stored(), await prisma.unownedBlob.count()]).toEqual([[], 0]);
  });

  test("keeps what a failing store did not delete, and deletes it later", async () => {
    const uploads = await Promise.all([listedUpload(), listedUpload()]);
    const stuck = uploads[0]?.blobKey ?? "";
    // The driver cannot remove a folder where it expects a file.
    await blobs.delete(stuck);
    const place = join(env.STORAGE_DISK_PATH, "blobs", stuck.slice(-2), stuck);
    await mkdir(place);
    await age();
    await expect(deleteUnownedBlobs()).rejects.toThrow("Could not delete 1 blobs");
    expect(await prisma.unownedBlob.findMany({ select: { blobKey: true } })).toEqual([{ blobKey: stuck }]);
    await rmdir(place);
    await age();
    expect(await deleteUnownedBlobs()).toBe(1);
  });

  test("goes on past a blob that the store does not delete", async () => {
    const uploads = await Promise.all(Array.from({ length: 150 }, listedUpload));
    const stuck = uploads[0]?.blobKey ?? "";
    const remove = blobs.delete;
    const store = vi.spyOn(blobs, "delete").mockImplementation(async (key) => {
      if (key === stuck) throw new Error("The store is stuck");
      await remove(key);
    });
    await age();
    await prisma.unownedBlob.update({ where: { blobKey: stuck }, data: { deleteAfter: new Date(0) } });
    await expect(deleteUnownedBlobs()).rejects.toThrow("Could not delete 1 blobs");
    expect(await stored()).toEqual([stuck]);
    store.mockRestore();
  });

  test("leaves the rest alone when the store deletes nothing at all", async () => {
    await Promise.all(Array.from({ length: 150 }, listedUpload));
    await age();
    const store = vi.spyOn(blobs, "delete").mockRejectedValue(new Error("The store is down"));
    await expect(deleteUnownedBlobs()).rejects.toThrow("Could not delete 100 blobs");
    expect(store).toHaveBeenCalledTimes(100);
    store.mockRestore();
  });
});

describe("deleteUnreferenced", () => {
  test("deletes old files that nothing refers to", async () => {
    const [message, file, loose] = await Promise.all([uploadFile("m"), uploadFile("f"), uploadFile("loose")]);
    await api.messages.sendImage({ storageId: message, author: "a" });
    await api.files.saveFile({ storageId: file, name: "a" });
    await age();
    const young = await uploadFile("young");
    expect([await countUnreferenced(), await listUnreferenced(10)]).toEqual([{ files: 1, bytes: 5 }, [loose]]);
    expect(await deleteUnreferenced()).toEqual({ files: 1, bytes: 5 });
    const left = await prisma.storage.findMany({ select: { id: true }, orderBy: { id: "asc" } });
    expect(left.map(({ id }) => id)).toEqual([message, file, young].sort());
  });

  test("finds references of a table made later", async () => {
    await prisma.$executeRaw`CREATE TABLE "album" ("cover" uuid REFERENCES "_storage" ("_id"))`;
    const storageId = await uploadFile("cover");
    await prisma.$executeRaw`INSERT INTO "album" VALUES (${storageId}::uuid)`;
    await age();
    expect(await deleteUnreferenced()).toEqual({ files: 0, bytes: 0 });
    await prisma.$executeRaw`DROP TABLE "album"`;
  });

  test("spares a file that a transaction under way has just referred to", async () => {
    const storageId = await uploadFile("late");
    await age();
    await prisma.$transaction(async (client) => {
      await client.message.create({ data: { author: "a", body: storageId, storageId, format: "image" } });
      expect(await deleteUnreferenced()).toEqual({ files: 0, bytes: 0 });
    });
    expect(await deleteUnreferenced()).toEqual({ files: 0, bytes: 0 });
  });

  test("collects more than a batch, several at once", async () => {
    await prisma.$transaction([
      prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
      prisma.$executeRaw`INSERT INTO "_storage" ("_id", "sha256", "size", "blobKey")
        SELECT gen_random_uuid(), repeat('0', 64), 1, gen_random_uuid()::text FROM generate_series(1, 1200)`,
    ]);
    await age();
    const counts = await Promise.all([deleteUnreferenced(), deleteUnreferenced()]);
    expect(counts.reduce((sum, { files }) => sum + files, 0)).toBe(1200);
    expect(await prisma.storage.count()).toBe(0);
  });
});

describe("sweep", () => {
  test("in production, first only reports", async () => {
    vi.stubEnv("NODE_ENV", "production");
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    await uploadFile("loose");
    await age();
    expect(await collectGarbage()).toMatchObject({ files: 1, reportOnly: true });
    expect(await collectGarbage()).toMatchObject({ files: 1, reportOnly: true });
    expect(warn).toHaveBeenCalledWith(expect.stringContaining("Nothing refers to 1 files"));
    await prisma.$executeRaw`UPDATE "_system_state" SET "value" = to_jsonb(now() - interval '25 hours')`;
    expect(await collectGarbage()).toMatchObject({ files: 1, reportOnly: false, blobs: 1 });
    vi.unstubAllEnvs();
  });
});

describe("references", () => {
  test("are the foreign keys to _storage", async () => {
    expect(await findReferences(prisma)).toEqual([
      { table: "files", column: '"storageId"' },
      { table: "images", column: '"storageId"' },
      { table: "images", column: '"thumbnailId"' },
      { table: "messages", column: '"storageId"' },
    ]);
  });

  test("that are none, though named like one, are found", async () => {
    expect(await findLooseReferences()).toEqual([]);
    await prisma.$executeRaw`CREATE TABLE "notes" ("coverStorageId" text, "storage_ids" uuid[], "stored" text)`;
    expect(await findLooseReferences()).toEqual(['notes."coverStorageId"', "notes.storage_ids"]);
    await prisma.$executeRaw`DROP TABLE "notes"`;
  });
});

// This test comes last, because it leaves many rows behind.
test("countUnreferenced, of many files, looks at many jobs once, not for each file", async () => {
  const files = 20_000;
  await prisma.$transaction([
    prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
    prisma.$executeRaw`INSERT INTO "_storage" ("_id", "sha256", "size", "blobKey")
      SELECT gen_random_uuid(), repeat('0', 64), 1, gen_random_uuid()::text FROM generate_series(1, ${files})`,
    prisma.$executeRaw`INSERT INTO "_scheduled_functions" ("_id", "name", "args", "scheduledTime")
      SELECT gen_random_uuid(), 'f', to_jsonb("_id"), now() + interval '1 day' FROM "_storage" LIMIT ${files - 1}`,
  ]);
  await age();
  await prisma.$executeRaw`ANALYZE "_scheduled_functions"`;
  expect(await countUnreferenced()).toEqual({ files: 1, bytes: 1 });
});
