import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, open, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { diskDriver } from "~/kit/storage/drivers/disk";
import { type BlobDriver, StorageUnavailableError } from "~/kit/storage/drivers/driver";
import { eventually } from "../../eventually";
import { openFiles } from "../kit";
import { chunksFrom, chunksOf, describeDriver, text } from "./driver-contract";

const root = await mkdtemp(join(tmpdir(), "disk-driver-"));
afterAll(() => rm(root, { recursive: true }));

describeDriver("diskDriver", async () => diskDriver(join(root, randomUUID(), "made", "on", "demand")));

let folder: string;
let driver: BlobDriver;
beforeEach(async () => {
  folder = await mkdtemp(join(root, "case-"));
  driver = diskDriver(folder);
});

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}

describe("diskDriver", () => {
  test("put: one file, below a folder of its last two digits, which nobody else may read", async () => {
    const key = randomUUID();
    await driver.put(key, chunksFrom("bytes"));
    const place = join(folder, "blobs", key.slice(-2), key);
    expect(await filesIn(folder)).toEqual([place]);
    // Windows has no such bits: files have the owner of their folder.
    if (process.platform === "win32") return;
    expect((await stat(place)).mode & 0o777).toBe(0o600);
    for (const made of ["blobs", `blobs/${key.slice(-2)}`, "partial"]) {
      expect((await stat(join(folder, made))).mode & 0o777).toBe(0o700);
    }
  });

  test("put: while it is under way the blob is not there; when it fails no file is left", async () => {
    const key = randomUUID();
    const seen: unknown[] = [];
    async function* body() {
      yield* chunksFrom("x".repeat(3_000_000));
      seen.push(await driver.head(key), await driver.get(key), (await filesIn(folder)).length);
      throw new Error("The client went away");
    }
    await expect(driver.put(key, body())).rejects.toThrow("The client went away");
    expect(seen).toEqual([null, null, 1]);
    expect(await filesIn(folder)).toEqual([]);
  });

  test("delete: removes what an interrupted put left", async () => {
    const key = randomUUID();
    await mkdir(join(folder, "partial"));
    await writeFile(join(folder, "partial", key), "half");
    expect(await driver.get(key)).toBeNull();
    await driver.delete(key);
    expect(await filesIn(folder)).toEqual([]);
  });

  test("get: a blob that was cut short breaks off, whole or in part", async () => {
    const key = randomUUID();
    await driver.put(key, chunksOf(randomBytes(1000), 1000));
    await truncate(join(folder, "blobs", key.slice(-2), key), 500);
    await expect(text(driver.get(key, { start: 400, end: 600 }))).rejects.toThrow();
    await expect(text(driver.get(key, { start: 600, end: 700 }))).rejects.toThrow();
  });

  test("append: bytes whose sync failed are never reported, because a second sync may succeed without them", async () => {
    const file = { size: 9, contentType: null };
    const appender = await driver.append.open(randomUUID(), file, { offset: 0 }, async () => "");
    const probe = await open(process.execPath);
    const sync = vi.spyOn(Object.getPrototypeOf(probe), "datasync").mockRejectedValueOnce(new Error("EIO"));
    await appender.write(Buffer.from("some"));
    await expect(appender.sync()).rejects.toThrow(StorageUnavailableError);
    await expect(appender.end()).rejects.toThrow(StorageUnavailableError);
    await Promise.all([appender.close(), probe.close()]);
    sync.mockRestore();
  });

  test("a folder that is none: broken, not empty", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    const broken = diskDriver(file);
    const key = randomUUID();
    await expect(broken.put(key, chunksFrom("x"))).rejects.toThrow(StorageUnavailableError);
    await expect(broken.get(key)).rejects.toThrow(StorageUnavailableError);
    await expect(broken.head(key)).rejects.toThrow(StorageUnavailableError);
    await expect(broken.check()).rejects.toThrow(StorageUnavailableError);
    // The text that the log has for a mount that belongs to another user.
    const who = process.getuid
      ? /Cannot write to STORAGE_DISK_PATH, .*user \d+; a mounted folder has to be that user's/
      : "";
    await expect(broken.check()).rejects.toThrow(who);
  });

  describe("keeps no file open", () => {
    const size = 3_000_000;

    async function expectNoneOpen(work: (key: string) => Promise<unknown>): Promise<void> {
      const key = randomUUID();
      await driver.put(key, chunksOf(randomBytes(size), 64 * 1024));
      for (let times = 0; times < 5; times++) await work(key);
      await eventually(async () => expect(await openFiles(root)).toBe(0));
    }

    test.each<[string, (key: string) => Promise<unknown>]>([
      ["a read to the end", async (key) => text(driver.get(key))],
      ["a range read to the end", async (key) => text(driver.get(key, { start: 5, end: 700_000 }))],
      ["a read cancelled before it began", async (key) => (await driver.get(key))?.cancel()],
      [
        "a read cancelled on its way",
        async (key) => {
          const reader = (await driver.get(key))?.getReader();
          await reader?.read();
          await reader?.cancel();
        },
      ],
      [
        "a read cancelled while it reads",
        async (key) => {
          const reader = (await driver.get(key))?.getReader();
          const reading = reader?.read();
          await reader?.cancel();
          await reading;
        },
      ],
      [
        "a read cancelled between two buffers",
        async (key) => {
          const reader = (await driver.get(key, { start: 1, end: size - 1 }))?.getReader({ mode: "byob" });
          await reader?.read(new Uint8Array(10));
          const reading = reader?.read(new Uint8Array(10));
          await reader?.cancel();
          await reading;
        },
      ],
      ["a read in small buffers", async (key) => readInBuffersOf(driver, key, 100_000)],
      ["a blob that is missing", async () => driver.get(randomUUID())],
      ["a put", async () => driver.put(randomUUID(), chunksFrom("x"))],
      [
        "a put that fails",
        async () => driver.put(randomUUID(), chunksFrom("x", new Error("no"))).catch(() => undefined),
      ],
    ])("after %s", async (_, work) => {
      await expectNoneOpen(work);
    });
  });
});

async function readInBuffersOf(driver: BlobDriver, key: string, size: number): Promise<void> {
  const reader = (await driver.get(key))?.getReader({ mode: "byob" });
  while (reader && !(await reader.read(new Uint8Array(size))).done);
}
