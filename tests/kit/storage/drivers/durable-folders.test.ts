import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { durableFolders } from "~/kit/storage/drivers/durable-folders";

const synced = vi.hoisted(() => ({ paths: [] as string[], failure: "" }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const open: typeof real.open = async (path, ...rest) => {
    const file = await real.open(path, ...rest);
    const sync = file.sync.bind(file);
    file.sync = async () => {
      synced.paths.push(String(path));
      if (synced.failure) throw Object.assign(new Error(synced.failure), { code: synced.failure });
      return sync();
    };
    return file;
  };
  return { ...real, open };
});

const isWindows = process.platform === "win32";

const root = await realpath(await mkdtemp(join(tmpdir(), "durable-folders-")));
afterAll(() => rm(root, { recursive: true }));

beforeEach(() => {
  synced.paths = [];
  synced.failure = "";
});

describe("durableFolders", () => {
  // Windows opens no folder, so that nothing could be synced.
  test.skipIf(isWindows)("make: every folder on the way is synced into its parent, the deepest first", async () => {
    const folder = join(root, randomUUID(), "storage");
    await durableFolders(folder).make(join(folder, "blobs", "07"));
    expect(synced.paths).toEqual([join(folder, "blobs"), folder, join(folder, ".."), root]);
  });

  test.skipIf(isWindows)("make: a folder that another has just made is synced too, before it resolves", async () => {
    const folder = join(root, randomUUID());
    const path = join(folder, "blobs", "07");
    mkdirSync(path, { recursive: true });
    await durableFolders(folder).make(path);
    expect(synced.paths).toEqual([join(folder, "blobs"), folder]);
  });

  test.skipIf(isWindows)("make: side by side and again, one making", async () => {
    const folder = join(root, randomUUID());
    const folders = durableFolders(folder);
    const make = () => folders.make(join(folder, "partial"));
    await Promise.all([make(), make()]);
    await make();
    expect(synced.paths).toEqual([folder, root]);
  });

  test("make, after forget: a folder that was removed is there again", async () => {
    const folder = join(root, randomUUID());
    const path = join(folder, "partial");
    const folders = durableFolders(folder);
    await folders.make(path);
    await rm(folder, { recursive: true });
    folders.forget(path);
    await folders.make(path);
    expect(existsSync(path)).toBe(true);
  });

  test.each(["EPERM", "EINVAL"])(
    "make: a file system that knows no fsync of folders (%s) is used all the same",
    async (code) => {
      const warn = vi.spyOn(console, "warn").mockReturnValue();
      synced.failure = code;
      const folder = join(root, randomUUID());
      await durableFolders(folder).make(join(folder, "partial"));
      await durableFolders(folder).make(join(folder, "blobs"));
      expect(existsSync(join(folder, "blobs"))).toBe(true);
      expect(warn.mock.calls.length).toBeLessThan(2);
      warn.mockRestore();
    },
  );

  test.skipIf(isWindows)("make: a disk that fails is a failure", async () => {
    synced.failure = "EIO";
    const folder = join(root, randomUUID());
    await expect(durableFolders(folder).make(join(folder, "partial"))).rejects.toThrow("EIO");
  });
});
