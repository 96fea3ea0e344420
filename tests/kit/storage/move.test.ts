import { createHash, randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type S3Store, startS3 } from "../stand-ins/s3";

// The app with two stores, a folder and a bucket, in one process. tests/kit/crash/move.soak.test.ts kills processes meanwhile.

let s3: S3Store;
let client: pg.Client;
const url = process.env.DATABASE_URL ?? "";
const other = await mkdtemp(join(tmpdir(), "second-"));

beforeAll(async () => {
  s3 = await startS3();
  process.env.AWS_MAX_ATTEMPTS = "1";
  process.env.DELETED_FILE_RETENTION_HOURS = "24";
  client = new pg.Client({ connectionString: url });
  await client.connect();
});
afterEach(() => {
  s3.intercept = () => undefined;
});
afterAll(async () => {
  await client.end();
  await closePools();
  await s3.stop();
  await rm(other, { recursive: true });
});

async function closePools() {
  const { pools } = await import("~/kit/database/database");
  await Promise.all(Object.values(pools).map((pool) => pool.end()));
}

/** The kit as it starts with these settings. */
async function start(settings: Record<string, string>) {
  if ("storageKit" in globalThis) await closePools();
  for (const name of Object.keys(process.env)) if (/^(SECOND_|S3_|STORAGE_DRIVER)/.test(name)) delete process.env[name];
  Object.assign(process.env, s3.settings, settings);
  vi.resetModules();
  Reflect.deleteProperty(globalThis, "storageKit");
  const [caller, move, { blobs, stores }, garbage, ownership, { prisma }, reconcile, checks] = await Promise.all([
    import("../caller"),
    import("~/kit/storage/move"),
    import("~/kit/storage/blobs"),
    import("~/kit/storage/garbage-collection"),
    import("~/kit/storage/ownership"),
    import("~/kit/database/database"),
    import("~/kit/storage/reconcile"),
    import("~/kit/process/check-settings"),
  ]);
  const ann = caller.apiOf("ann");
  const save = async (size: number) => {
    const storageId = await caller.uploadFile(randomBytes(size), "image/png", ann);
    await ann.files.saveFile({ storageId, name: `${size} bytes` });
    return storageId;
  };
  const keyOf = async (storageId: string) => {
    const { rows } = await client.query(`SELECT "blobKey" FROM "_storage" WHERE "_id" = $1`, [storageId]);
    return String(rows[0]?.blobKey);
  };
  return { ...move, ...garbage, ...ownership, ...reconcile, ...checks, ann, save, keyOf, blobs, stores, prisma };
}

const disk = { STORAGE_DRIVER: "disk" };
const diskThenS3 = { STORAGE_DRIVER: "disk", SECOND_STORAGE_DRIVER: "s3" };
const s3ThenDisk = { STORAGE_DRIVER: "s3", SECOND_STORAGE_DRIVER: "disk" };

test("files move to a bucket while the app runs: reads find both, deletes reach both, and then the bucket has all", async () => {
  const before = await start(disk);
  const files = await Promise.all([before.save(0), before.save(1), before.save(100_000), before.save(6_000_000)]);
  const restorable = await before.save(5);
  const restorableKey = await before.keyOf(restorable);
  await before.ann.files.delete({ storageId: restorable });
  await before.deleteUnownedBlobs();

  const both = await start(s3ThenDisk);
  both.checkSettings();
  files.push(await both.save(200));
  const keys: string[] = [];
  for (const file of files) keys.push(await both.keyOf(file));
  const [, , erased = "", , last = ""] = files;
  for (const key of keys) expect(await both.blobs.head(key)).not.toBeNull();
  expect(await both.stores.first.driver.head(keys[4] ?? "")).toEqual({ size: 200 });
  expect(await both.stores.second?.driver.head(keys[4] ?? "")).toBeNull();

  expect(await both.moveBlobs(url, "s3")).toMatchObject({
    copied: 5,
    missing: [],
    damaged: [],
    isFirst: true,
    uploads: 0,
  });
  expect(await both.moveBlobs(url, "s3")).toMatchObject({ copied: 0, kept: 6 });
  await both.deleteFile(both.prisma, erased, true);
  await both.deleteUnownedBlobs();
  const erasedKey = keys[2] ?? "";
  for (const store of [both.stores.first, both.stores.second]) expect(await store?.driver.head(erasedKey)).toBeNull();
  expect(await both.restoreFile(both.prisma, restorable)).toBe(true);

  const after = await start({ STORAGE_DRIVER: "s3" });
  expect(await after.compareWithStore(client)).toMatchObject({ files: 5, missing: [], orphans: [] });
  expect(await after.blobs.head(restorableKey)).toEqual({ size: 5 });
  expect(await after.blobs.head(await after.keyOf(last))).toEqual({ size: 200 });
  // The bucket has the id of the app's store, without which garbage collection is refused.
  await after.deleteUnownedBlobs();
});

test("before the app writes to it, a store can be filled; a move that breaks off continues", async () => {
  const both = await start({ STORAGE_DRIVER: "s3", SECOND_STORAGE_DRIVER: "disk", SECOND_STORAGE_DISK_PATH: other });
  let reads = 0;
  s3.intercept = ({ method }) => (method === "GET" && ++reads > 4 ? 500 : undefined);
  await expect(both.moveBlobs(url, "disk")).rejects.toThrow();
  s3.intercept = () => undefined;
  // Leaves what a process leaves that is killed while it writes.
  const { rows } = await client.query(
    `SELECT "blobKey", "size"::int AS "size" FROM "_storage" ORDER BY "size" DESC LIMIT 1`,
  );
  const upload = [rows[0].blobKey, { size: 9, contentType: null }, { offset: 0 }, async () => ""] as const;
  await (await both.stores.second?.driver.append.open(...upload))?.close();
  const moved = await both.moveBlobs(url, "disk");
  expect(moved).toMatchObject({ missing: [], damaged: [], isFirst: false });
  expect(await both.stores.second?.driver.head(rows[0].blobKey)).toEqual({ size: rows[0].size });
});

test("bytes that are damaged or lost are named, and not copied", async () => {
  const both = await start({ STORAGE_DRIVER: "s3", SECOND_STORAGE_DRIVER: "disk", SECOND_STORAGE_DISK_PATH: other });
  const damaged = await both.keyOf(await both.save(300));
  const lost = await both.keyOf(await both.save(301));
  await both.blobs.delete(damaged ?? "");
  await both.blobs.delete(lost ?? "");
  await both.stores.first.driver.put(damaged ?? "", new Blob([randomBytes(300)]).stream());
  expect(await both.moveBlobs(url, "disk")).toMatchObject({ damaged: [damaged], missing: [lost] });
  expect(await both.stores.second?.driver.head(damaged ?? "")).toBeNull();
  await client.query(`SET storage.row = '*'; DELETE FROM "files"; DELETE FROM "_storage" WHERE "size" IN (300, 301)`);
});

test("garbage collection leaves a blob alone while it is copied", async () => {
  const both = await start(diskThenS3);
  const storageId = await both.save(400);
  const blobKey = await both.keyOf(storageId);
  await client.query("BEGIN");
  await client.query(`SELECT pg_advisory_xact_lock(${both.blobLock("$1")})`, [blobKey]);
  await both.ann.files.delete({ storageId });
  await both.deleteFile(both.prisma, storageId, true);
  await both.deleteUnownedBlobs();
  expect(await both.blobs.head(blobKey)).toEqual({ size: 400 });
  await client.query("COMMIT");
  await both.deleteUnownedBlobs();
  expect(await both.blobs.head(blobKey)).toBeNull();
});

test("uploads that began in the old store continue there, and the move waits for them", async () => {
  const before = await start(disk);
  const [key, file] = [randomUUID(), { size: 4, contentType: null }];
  const newAside = async () => randomUUID();
  const begun = await before.blobs.append.open(key, file, { offset: 0 }, newAside);
  await begun.write(new TextEncoder().encode("ab"));
  const progress = await begun.end();
  await begun.close();
  await client.query(
    `INSERT INTO "_unfinished_uploads" ("_id", "blobKey", "size", "sha256", "progress", "expiresAt", "usedUntil")
     VALUES (gen_random_uuid(), $1, 4, '{}', $2, now() + interval '1 day', now() + interval '1 day')`,
    [key, progress],
  );

  const both = await start(s3ThenDisk);
  expect(await both.moveBlobs(url, "s3")).toMatchObject({ uploads: 1 });
  const rest = await both.blobs.append.open(key, file, progress, newAside);
  await rest.write(new TextEncoder().encode("cd"));
  const complete = await rest.end();
  await rest.close();
  await both.blobs.append.complete(key, file, complete);
  expect(await new Response(await both.blobs.get(key)).text()).toBe("abcd");
  await client.query(`DELETE FROM "_unfinished_uploads"`);
  expect(await both.moveBlobs(url, "s3")).toMatchObject({ uploads: 0 });
  await both.blobs.delete(key);
});

test("direct uploads that began in a bucket go on there when the app writes to a disk", async () => {
  const before = await start({ STORAGE_DRIVER: "s3" });
  const bytes = randomBytes(10);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const begun = await Promise.all(
    [undefined, sha256].map(async (sha256) => {
      const [key, file] = [randomUUID(), { size: 10, contentType: null, sha256 }];
      return { key, upload: { ...file, uploadId: await before.blobs.direct?.begin?.(key, file) } };
    }),
  );
  expect(begun.map(({ upload }) => typeof upload.uploadId)).toEqual(["string", "undefined"]);
  const expires = new Date(Date.now() + 60_000);
  const [whole] =
    (await before.blobs.direct?.sign(
      begun[1]?.key ?? "",
      begun[1]?.upload ?? { size: 0, contentType: null },
      [1],
      expires,
    )) ?? [];

  const both = await start(diskThenS3);
  expect(both.blobs.direct?.begin).toBeUndefined();
  for (const { key, upload } of begun) {
    // The requests for parts may be signed later. The request for a whole file may not.
    const [part] = upload.uploadId ? ((await both.blobs.direct?.sign(key, upload, [1], expires)) ?? []) : [whole];
    const { method, url: signed = "", headers } = part ?? {};
    expect((await fetch(signed, { method, headers, body: bytes })).status).toBe(200);
    if (upload.uploadId) expect(await both.blobs.direct?.sent?.(key, upload)).toEqual([1]);
    expect(await both.blobs.direct?.complete(key, upload, [])).toMatchObject({ size: 10 });
    expect(await both.stores.second?.driver.head(key)).toMatchObject({ size: 10 });
    await both.blobs.delete(key);
  }
});

test("a store of another app, one store alone, and the same store twice are refused", async () => {
  const alone = await start(disk);
  await expect(alone.moveBlobs(url, "s3")).rejects.toThrow(/SECOND_STORAGE_DRIVER/);
  const twice = await start({ STORAGE_DRIVER: "disk", SECOND_STORAGE_DRIVER: "disk" });
  expect(() => twice.checkSettings()).toThrow(/same store/);
  const useless = await start({ STORAGE_DRIVER: "disk", SECOND_S3_BUCKET: "files" });
  expect(() => useless.checkSettings()).toThrow(/SECOND_S3_BUCKET has no effect/);
  const both = await start(s3ThenDisk);
  await expect(both.moveBlobs(url, "vercel-blob")).rejects.toThrow(/Pass the driver of one of them as --to/);
  const { storeIdKey } = await import("~/kit/storage/store-id");
  await both.stores.first.driver.delete(storeIdKey);
  await both.stores.first.driver.put(storeIdKey, new Blob(["another"]).stream());
  await expect(both.moveBlobs(url, "s3")).rejects.toThrow(/belongs to another database/);
});
