import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { open as openFile } from "node:fs/promises";
import { createServer } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { limits } from "~/kit/process/limits";
import { processWide } from "~/kit/process/process-wide";
import { StorageFullError } from "~/kit/storage/drivers/driver";
import { appendParts, sendInParts, sizeOfPart } from "~/kit/storage/drivers/parts";
import { s3Driver } from "~/kit/storage/drivers/s3";
import { streamOf } from "../kit";

const tebibyte = 1024 ** 4;

describe("sizeOfPart", () => {
  test("10,000 parts hold 5 TiB, whether or not the size is known; small files have parts of 16 MiB", () => {
    let sum = 0;
    for (let number = 1; number <= 10_000; number++) sum += sizeOfPart(number);
    expect(sum / tebibyte).toBeGreaterThanOrEqual(5);
    expect(sizeOfPart(1, 5 * tebibyte) * 10_000).toBeGreaterThanOrEqual(5 * tebibyte);
    expect(new Set([1, 5000, 10_000].map((number) => sizeOfPart(number, 5 * tebibyte))).size).toBe(1);
    expect([sizeOfPart(1), sizeOfPart(950), sizeOfPart(7, 1000)]).toEqual(Array(3).fill(16 * 1024 * 1024));
  });
});

describe("sendInParts", () => {
  const store = () => {
    const parts: Buffer[] = [];
    let whole: Buffer | undefined;
    return {
      bytes: () => whole ?? Buffer.concat(parts),
      putWhole: async (bytes: Buffer) => {
        whole = bytes;
      },
      startParts: async () => ({
        putPart: async (number: number, bytes: Buffer) => {
          parts[number - 1] = bytes;
        },
        complete: async () => undefined,
      }),
    };
  };
  const source = randomBytes(40 * 1024 * 1024 + 17);
  async function* pieces(size: number) {
    for (let at = 0; at < source.length; at += size) yield source.subarray(at, at + size);
  }
  const memory = limits.partBufferBytes;
  afterEach(() => {
    limits.partBufferBytes = memory;
  });

  test.each([
    [1_000_003, memory],
    [source.length, memory],
    // Either nothing fits into memory, or only the beginning of a part does.
    [1_000_003, 0],
    [777_777, 10_000_000],
  ])("sends every byte in its place, in chunks of %i with %i bytes of memory", async (size, bytes) => {
    limits.partBufferBytes = bytes;
    const to = store();
    await sendInParts(pieces(size), to);
    expect(to.bytes().equals(source)).toBe(true);
  });

  test("holds senders that stopped in files, and lets others through meanwhile", async () => {
    const before = process.memoryUsage().arrayBuffers;
    const end = new AbortController();
    const forgetful = {
      putWhole: async () => undefined,
      startParts: async () => ({ putPart: async () => undefined, complete: async () => undefined }),
    };
    async function* stopped() {
      for (let at = 0; at < 12_000_000; at += 1_000_000) yield source.subarray(at, at + 1_000_000);
      if (!end.signal.aborted) await once(end.signal, "abort");
    }
    limits.partBufferBytes = 32 * 1024 * 1024;
    const slow = Array.from({ length: 20 }, () => sendInParts(stopped(), forgetful));
    const quick = store();
    await sendInParts(pieces(1_000_000), quick);
    expect(quick.bytes().equals(source)).toBe(true);
    const taken = () => process.memoryUsage().arrayBuffers - before;
    // Twenty of them would take 240 MB.
    await expect.poll(taken, { timeout: 10_000 }).toBeLessThan(120_000_000);
    end.abort();
    await Promise.all(slow);
  });

  test("refuses more when the temporary files have no room", async () => {
    const room = limits.partFileBytes;
    Object.assign(limits, { partBufferBytes: 0, partFileBytes: 1024 });
    await expect(sendInParts(pieces(1_000_000), store())).rejects.toThrow(StorageFullError);
    limits.partFileBytes = room;
  });
});

describe("appendParts", () => {
  const held = processWide("parts of uploads", () => ({ receiving: 0, inFiles: 0 }));
  const key = randomUUID();
  const file = { size: 10_000_000, contentType: null };
  const nothing = async () => null;
  const refuse = () => Promise.reject(new Error("The store is broken"));
  const broken = { put: refuse, head: nothing, openParts: refuse };

  test("bytes that were kept aside and cannot be read again hold no memory", async () => {
    const get = async () => streamOf(new Uint8Array(1_000_000), new Error("The line broke"));
    const { open } = appendParts({ ...broken, get });
    await expect(open(key, file, { offset: 2_000_000, aside: key }, async () => key)).rejects.toThrow("The line broke");
    expect(held.receiving).toBe(0);
  });

  test("a part that the disk did not take as a whole is not kept, because it may have any of its bytes", async () => {
    const memory = limits.partBufferBytes;
    limits.partBufferBytes = 0;
    const { open } = appendParts({ ...broken, put: async () => undefined, get: nothing });
    const appender = await open(key, file, { offset: 0 }, async () => key);
    await appender.write(new Uint8Array(1000));
    const probe = await openFile(process.execPath);
    const write = vi.spyOn(Object.getPrototypeOf(probe), "writeFile").mockRejectedValueOnce(new Error("ENOSPC"));
    await expect(appender.write(new Uint8Array(1000))).rejects.toThrow(StorageFullError);
    expect(await appender.end()).toEqual({ offset: 0 });
    await Promise.all([appender.close(), probe.close()]);
    write.mockRestore();
    limits.partBufferBytes = memory;
    expect(held.inFiles).toBe(0);
  });
});

describe("an S3 store over a slow network", () => {
  let silent = false;
  const server = createServer((request, response) => {
    // Sends a little at a time, so that no request is quick, and none stands still.
    const timer = setInterval(() => {
      if (silent) return;
      const chunk = request.read(Math.min(256 * 1024, request.readableLength || 1));
      if (chunk === null && request.complete) {
        clearInterval(timer);
        response.setHeader("ETag", '"a"').end();
      }
    }, 15);
    request.on("close", () => clearInterval(timer)).on("error", () => undefined);
  });
  const key = "01990000-0000-4000-8000-000000000000";
  let driver: ReturnType<typeof s3Driver>;

  beforeAll(async () => {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    driver = s3Driver({ bucket: "b", region: "r", endpoint: `http://127.0.0.1:${port}`, stallTimeoutMs: 1_500 });
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test("takes a body that moves for longer than the time limit of a stall", async () => {
    const started = performance.now();
    await driver.put(key, new Blob([new Uint8Array(15 * 1024 * 1024)]).stream());
    expect(performance.now() - started).toBeGreaterThan(1_600);
  });

  test("gives up a body that does not move", async () => {
    silent = true;
    await expect(driver.put(key, new Blob([new Uint8Array(8 * 1024 * 1024)]).stream())).rejects.toThrow();
    silent = false;
  });
});
