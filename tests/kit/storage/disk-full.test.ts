import { spawnSync } from "node:child_process";
import { open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { everything, post, storage, streamOf } from "./kit";

const folder = process.env.STORAGE_DISK_PATH ?? "";
const mebibyte = 2 ** 20;
const bytes = (size: number) => streamOf(...Array.from({ length: size / 65_536 }, () => new Uint8Array(65_536)));

afterEach(() => vi.restoreAllMocks());

async function attempt(size: number): Promise<[number, string | undefined]> {
  const response = await post(await storage.generateUploadUrl(), bytes(size));
  const { code } = (await response.json()) as { code?: string };
  return [response.status, code];
}

/** Expects an upload to fail so, to leave nothing, and the next one to succeed once `relieve` is called. */
async function expectRefusal(expected: [number, string], relieve: () => unknown): Promise<void> {
  const log = vi.spyOn(console, "error").mockReturnValue();
  const before = await everything();
  expect(await attempt(2 * mebibyte)).toEqual(expected);
  await expect(storage.store(bytes(2 * mebibyte))).rejects.toThrow();
  expect(await everything()).toEqual(before);
  expect(log).toHaveBeenCalledOnce();
  await relieve();
  expect(await attempt(2 * mebibyte)).toEqual([200, undefined]);
}

const scrap = await open(import.meta.filename);
const handle = Object.getPrototypeOf(scrap) as typeof scrap;
await scrap.close();

describe("a disk that fails as it is written to", () => {
  const failing = (code: string) => async () => {
    throw Object.assign(new Error(`${code}: the disk says no`), { code });
  };
  const writes = ["write", "writev"] as const;

  test.each([
    ["at the first write", 507, "StorageFull", "ENOSPC", () => writes],
    ["over its quota", 507, "StorageFull", "EDQUOT", () => writes],
    ["at fsync", 507, "StorageFull", "ENOSPC", () => ["sync"] as const],
    ["broken", 503, "StorageUnavailable", "EIO", () => writes],
    ["broken at fsync", 503, "StorageUnavailable", "EIO", () => ["sync"] as const],
    ["gone read-only", 503, "StorageUnavailable", "EROFS", () => writes],
  ] as const)("%s → %i %s, and nothing is stored", async (_, status, code, error, methods) => {
    const spies = methods().map((method) => vi.spyOn(handle, method).mockImplementation(failing(error)));
    await expectRefusal([status, code], () => spies.forEach((spy) => void spy.mockRestore()));
  });

  test("after the first megabyte → 507 StorageFull, and nothing is stored", async () => {
    const spies = writes.map((method) => {
      const original = handle[method];
      let calls = 0;
      return vi.spyOn(handle, method).mockImplementation(function (this: typeof scrap, ...args: never[]) {
        return ++calls % 4 === 0 ? failing("ENOSPC")() : Reflect.apply(original, this, args);
      } as never);
    });
    await expectRefusal([507, "StorageFull"], () => spies.forEach((spy) => void spy.mockRestore()));
  });
});

// Only root can mount a file system.
describe.runIf(process.platform === "linux" && process.getuid?.() === 0)("a disk of 64 MiB, full", () => {
  const ballast = join(folder, "ballast");
  let mounted = false;
  beforeAll(async () => {
    // In many containers not even root may mount one. Then the tests above must suffice.
    mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", folder]).status === 0;
    if (mounted) await writeFile(ballast, new Uint8Array(63 * mebibyte));
  });
  afterAll(() => void (mounted && spawnSync("umount", [folder])));

  test("→ 507 StorageFull, and nothing is stored; once there is room → 200", async ({ skip }) => {
    skip(!mounted, "cannot mount a file system here");
    await expectRefusal([507, "StorageFull"], () => rm(ballast));
  });
});
