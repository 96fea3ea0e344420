import { randomBytes, randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { type BlobDriver, type Chunk, type Progress, StorageUnavailableError } from "~/kit/storage/drivers/driver";

const mebibyte = 2 ** 20;

/**
 * Tests that all blob stores behave the same. `create` makes an empty store. `refusePart` makes a store that takes parts refuse
 * the part of this number, or none.
 */
export function describeDriver(
  name: string,
  create: () => Promise<BlobDriver>,
  refusePart?: (number: number | null) => void,
): void {
  describe(`${name}, as every driver`, () => {
    let driver: BlobDriver;
    beforeAll(async () => {
      driver = await create();
    });

    async function stored(bytes: Uint8Array): Promise<string> {
      const key = randomUUID();
      await driver.put(key, chunksOf(bytes, 64 * 1024));
      return key;
    }

    test.each([
      ["nothing", 0, 1],
      ["one byte", 1, 1],
      ["many tiny chunks", 4000, 1],
      ["chunks of odd sizes", 100_003, 977],
      ["a byte less than 1 MiB", mebibyte - 1, 64 * 1024],
      ["1 MiB", mebibyte, 64 * 1024],
      ["a byte more than 1 MiB", mebibyte + 1, 64 * 1024],
      ["one chunk of 3 MiB and a bit", 3 * mebibyte + 7, 4 * mebibyte],
      ["chunks of 1 MiB and a byte", 4 * mebibyte, mebibyte + 1],
    ])("put, head and get: %s", async (_, size, chunkSize) => {
      const bytes = randomBytes(size);
      const key = randomUUID();
      await driver.put(key, chunksOf(bytes, chunkSize));
      expect(await driver.head(key)).toEqual({ size });
      expect(await sameBytes(driver.get(key), bytes)).toBe(true);
    });

    test("put: empty chunks between others add nothing", async () => {
      const key = randomUUID();
      await driver.put(key, chunksFrom("", "a", "", "", "b", ""));
      expect(await text(driver.get(key))).toBe("ab");
    });

    test("put: a body of empty chunks is an empty blob", async () => {
      const key = randomUUID();
      await driver.put(key, chunksFrom("", ""));
      expect([await driver.head(key), await text(driver.get(key))]).toEqual([{ size: 0 }, ""]);
    });

    test.each([
      ["at its start", []],
      ["on its way", ["some bytes"]],
      ["after megabytes", ["x".repeat(3 * mebibyte), "y".repeat(3 * mebibyte)]],
    ])("put: a body that fails %s → its own error, and no blob", async (_, pieces) => {
      const failure = new Error("The client went away");
      const key = randomUUID();
      await expect(driver.put(key, chunksFrom(...pieces, failure))).rejects.toBe(failure);
      expect([await driver.head(key), await driver.get(key)]).toEqual([null, null]);
      await driver.delete(key);
    });

    test("put: many at once, each with its own bytes", async () => {
      const blobs = Array.from({ length: 24 }, (_, n) => ({ key: randomUUID(), bytes: randomBytes(n * 10_007) }));
      await Promise.all(blobs.map(({ key, bytes }) => driver.put(key, chunksOf(bytes, 4096))));
      const same = await Promise.all(blobs.map(({ key, bytes }) => sameBytes(driver.get(key), bytes)));
      expect(same).toEqual(blobs.map(() => true));
    });

    describe("get of a range", () => {
      const bytes = randomBytes(2 * mebibyte + 11);
      let key: string;
      beforeAll(async () => {
        key = await stored(bytes);
      });

      test.each([
        ["the first byte", 0, 0],
        ["the last byte", bytes.length - 1, bytes.length - 1],
        ["two bytes", 7, 8],
        ["all", 0, bytes.length - 1],
        ["all but the first", 1, bytes.length - 1],
        ["all but the last", 0, bytes.length - 2],
        ["1 MiB", 0, mebibyte - 1],
        ["across 1 MiB", mebibyte - 1, mebibyte],
        ["across pieces", 200_001, 1_800_002],
      ])("%s", async (_, start, end) => {
        expect(await sameBytes(driver.get(key, { start, end }), bytes.subarray(start, end + 1))).toBe(true);
      });

      test("several at once do not disturb each other", async () => {
        const ranges = Array.from({ length: 8 }, (_, n) => ({ start: n * 250_000, end: n * 250_000 + 260_000 }));
        const same = await Promise.all(
          ranges.map((range) => sameBytes(driver.get(key, range), bytes.subarray(range.start, range.end + 1))),
        );
        expect(same).toEqual(ranges.map(() => true));
      });

      test("a read that is cancelled leaves the blob as it was", async () => {
        await (await driver.get(key))?.cancel();
        const reader = (await driver.get(key, { start: 5, end: bytes.length - 1 }))?.getReader();
        await reader?.read();
        await reader?.cancel(new Error("Enough"));
        expect(await sameBytes(driver.get(key), bytes)).toBe(true);
      });
    });

    test("get: deleted on the way → all the bytes or an error, never others", async () => {
      const bytes = randomBytes(5 * mebibyte);
      const key = await stored(bytes);
      const reading = driver.get(key);
      await reading;
      await driver.delete(key);
      expect(await sameBytes(reading, bytes).catch(() => true)).toBe(true);
      expect(await driver.get(key)).toBeNull();
    });

    test("what is missing → null; deleting it is no error", async () => {
      const key = randomUUID();
      expect(await driver.head(key)).toBeNull();
      expect(await driver.get(key)).toBeNull();
      expect(await driver.get(key, { start: 0, end: 5 })).toBeNull();
      await driver.delete(key);
    });

    test("delete: the blob is gone, the others are not; twice is no error", async () => {
      const [gone, kept] = [await stored(randomBytes(9)), await stored(randomBytes(9))];
      await driver.delete(gone);
      await driver.delete(gone);
      expect([await driver.head(gone), await driver.get(gone), await driver.head(kept)]).toEqual([
        null,
        null,
        { size: 9 },
      ]);
    });

    test("list: every blob with its size, and none that was deleted", async () => {
      const sizes = [0, 1, 2, 3, 70_000];
      const keys = await Promise.all(sizes.map((size) => stored(randomBytes(size))));
      const gone = await stored(randomBytes(9));
      await driver.delete(gone);
      const listed = new Map<string, number>();
      for await (const { key, size } of driver.list()) {
        expect(listed.has(key)).toBe(false);
        listed.set(key, size);
      }
      expect(keys.map((key) => listed.get(key))).toEqual(sizes);
      expect(listed.has(gone)).toBe(false);
    });

    describe("append", () => {
      const bytes = randomBytes(11 * mebibyte + 7);
      const file = { size: bytes.length, contentType: "text/plain" };
      const asides: string[] = [];
      const newAside = async () => {
        const key = randomUUID();
        asides.push(key);
        return key;
      };

      /** Sends the bytes up to `end` in one request. */
      async function send(key: string, before: Progress, end: number): Promise<Progress> {
        const appender = await driver.append.open(key, file, before, newAside);
        for await (const chunk of chunksOf(bytes.subarray(before.offset, end), 256 * 1024)) await appender.write(chunk);
        const progress = await appender.end();
        await appender.close();
        // In another process, the progress comes from the database as JSON.
        return JSON.parse(JSON.stringify(progress));
      }

      test.each([
        ["in one request", [bytes.length]],
        [
          "in requests of less than a part",
          [1, 3 * mebibyte, 3 * mebibyte, 5 * mebibyte, 5 * mebibyte + 1, bytes.length],
        ],
        ["in requests of a part and more", [5 * mebibyte, 10 * mebibyte, bytes.length]],
        ["with one byte in the last request", [bytes.length - 1, bytes.length]],
      ])("%s → the blob, when it is completed", async (_, ends) => {
        const key = randomUUID();
        let progress: Progress = { offset: 0 };
        for (const end of ends) {
          progress = await send(key, progress, end);
          expect([progress.offset, await driver.head(key)]).toEqual([end, null]);
        }
        await driver.append.complete(key, file, progress);
        await driver.append.complete(key, file, progress);
        expect(await sameBytes(driver.get(key), bytes)).toBe(true);
      });

      test("a request that died: the next one continues where the last record says", async () => {
        const key = randomUUID();
        const recorded = await send(key, { offset: 0 }, 6 * mebibyte);
        const appender = await driver.append.open(key, file, recorded, newAside);
        await appender.write(new Uint8Array(5 * mebibyte));
        await appender.sync();
        await appender.close();
        const progress = await send(key, recorded, bytes.length);
        await driver.append.complete(key, file, progress);
        expect(await sameBytes(driver.get(key), bytes)).toBe(true);
      });

      test("end: called again, it reports the same, and the upload continues from there", async () => {
        const key = randomUUID();
        const appender = await driver.append.open(key, file, { offset: 0 }, newAside);
        await appender.write(Uint8Array.from(bytes.subarray(0, 6 * mebibyte)));
        const progress = await appender.end();
        expect(await appender.end()).toEqual(progress);
        await appender.close();
        await driver.append.complete(key, file, await send(key, progress, bytes.length));
        expect(await sameBytes(driver.get(key), bytes)).toBe(true);
      });

      test("a request that comes when the blob is complete does not change it", async () => {
        const key = randomUUID();
        const progress = await send(key, { offset: 0 }, bytes.length);
        await driver.append.complete(key, file, progress);
        await send(key, progress, bytes.length).catch(() => undefined);
        await driver.append.complete(key, file, progress);
        expect(await driver.head(key)).toEqual({ size: bytes.length });
      });

      test("sync: what it reports can be continued", async () => {
        const key = randomUUID();
        const appender = await driver.append.open(key, file, { offset: 0 }, newAside);
        await appender.write(Uint8Array.from(bytes.subarray(0, 6 * mebibyte)));
        const synced = await appender.sync();
        await appender.close();
        expect(synced.offset).toBeGreaterThanOrEqual(5 * mebibyte);
        await driver.append.complete(key, file, await send(key, synced, bytes.length));
        expect(await sameBytes(driver.get(key), bytes)).toBe(true);
      });

      test.runIf(refusePart).each([
        ["the first part", 0, 1, 0],
        ["the second part", 0, 2, 5 * mebibyte],
        ["the part with bytes that were kept aside", 3 * mebibyte, 1, 3 * mebibyte],
        ["the last part", 6 * mebibyte, 3, 10 * mebibyte],
      ])("the store refuses %s → what it took counts, and the next request continues", async (_, had, part, kept) => {
        const key = randomUUID();
        const before = await send(key, { offset: 0 }, had);
        refusePart?.(part);
        const appender = await driver.append.open(key, file, before, newAside);
        const failure = await appender
          .write(Uint8Array.from(bytes.subarray(had)))
          .then(() => appender.end())
          .catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(StorageUnavailableError);
        refusePart?.(null);
        const progress = await appender.end();
        await appender.close();
        expect(progress.offset).toBe(kept);
        await driver.append.complete(key, file, await send(key, progress, bytes.length));
        expect(await sameBytes(driver.get(key), bytes)).toBe(true);
      });

      test("deleted before it is complete: there is no blob, and others may begin", async () => {
        const key = randomUUID();
        await send(key, { offset: 0 }, 6 * mebibyte);
        await driver.delete(key);
        await driver.delete(key);
        expect([await driver.head(key), await driver.get(key)]).toEqual([null, null]);
      });
    });

    test("check resolves", () => driver.check());

    const uuid = randomUUID();
    test.each([
      [""],
      ["."],
      [".."],
      ["../../../etc/passwd"],
      ["/etc/passwd"],
      ["a"],
      [uuid.toUpperCase().replace(/^./, "A")],
      [`${uuid}/../${uuid}`],
      [`../${uuid}`],
      [`${uuid}/`],
      [`${uuid}\n`],
      [`${uuid}\0`],
      [`${uuid}?x`],
      [uuid.replace("-", "/")],
      [`..${uuid.slice(2)}`],
    ])("a key that is none of ours, %j → throws", async (key) => {
      await expect(driver.put(key, chunksFrom("x"))).rejects.toThrow();
      await expect(driver.get(key)).rejects.toThrow();
      await expect(driver.head(key)).rejects.toThrow();
      await expect(driver.delete(key)).rejects.toThrow();
    });
  });
}

/** Chunks as they come from a socket: views on a larger buffer. */
export async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Chunk> {
  const copy = Uint8Array.from(bytes);
  for (let at = 0; at < copy.length; at += size) yield copy.subarray(at, at + size);
}

/** Yields the texts as chunks. An error is thrown where the body breaks off. */
export async function* chunksFrom(...pieces: (string | Error)[]): AsyncGenerator<Chunk> {
  for (const piece of pieces) {
    if (piece instanceof Error) throw piece;
    yield new TextEncoder().encode(piece);
  }
}

type Read = Promise<ReadableStream<Chunk> | null>;

export const text = async (read: Read) => new Response(await read).text();

async function sameBytes(read: Read, expected: Uint8Array): Promise<boolean> {
  const stream = await read;
  return stream !== null && Buffer.from(await new Response(stream).arrayBuffer()).equals(expected);
}
