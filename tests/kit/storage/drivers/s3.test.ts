import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type BlobDriver, type Chunk, StorageUnavailableError } from "~/kit/storage/drivers/driver";
import { partSize } from "~/kit/storage/drivers/parts";
import { s3Driver } from "~/kit/storage/drivers/s3";
import type { S3Store } from "../../stand-ins/s3";
import { openS3 } from "../open-s3";
import { describeDriver } from "./driver-contract";

let s3: S3Store;
let driver: BlobDriver;

beforeAll(async () => {
  s3 = await openS3();
  Object.assign(process.env, s3.settings);
  driver = driverOf(s3.settings.S3_BUCKET);
});
beforeEach(() => {
  s3.intercept = () => undefined;
});
afterAll(() => s3.stop());

const driverOf = (bucket: string): BlobDriver =>
  s3Driver({ bucket, region: s3.settings.S3_REGION, endpoint: s3.settings.S3_ENDPOINT });

const uploads = async () => (await s3.count()).uploads;

const read = async (stream: ReadableStream<Chunk> | null) =>
  stream && Buffer.from(await new Response(stream).arrayBuffer());

async function* chunks(...parts: (Uint8Array | Error)[]): AsyncGenerator<Chunk> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield new Uint8Array(part);
  }
}

describeDriver(
  "s3Driver",
  async () => driver,
  (number) => {
    s3.intercept = ({ url }) => (number && url?.includes(`partNumber=${number}&`) ? "cut" : undefined);
  },
);

describe("s3Driver", () => {
  test.each([partSize - 1, partSize, partSize + 1, 2 * partSize + 5])("put and get %i bytes", async (size) => {
    const key = randomUUID();
    const bytes = randomBytes(size);
    const at = Math.floor(size / 3);
    await driver.put(key, chunks(bytes.subarray(0, at), bytes.subarray(at)));
    expect(await driver.head(key)).toEqual({ size });
    expect((await read(await driver.get(key)))?.equals(bytes)).toBe(true);
    if (size < 2) return;
    const rest = await read(await driver.get(key, { start: 1, end: size - 1 }));
    expect(rest?.equals(bytes.subarray(1))).toBe(true);
    expect(await uploads()).toBe(0);
  });

  test("put of a body that breaks off in its third part leaves nothing, and says why as it was said", async () => {
    const broken = new Error("The line is cut");
    const part = randomBytes(partSize);
    const key = randomUUID();
    await expect(driver.put(key, chunks(part, part, randomBytes(1), broken))).rejects.toBe(broken);
    expect([await driver.head(key), await uploads()]).toEqual([null, 0]);
  });

  test("put whose store fails in the second part leaves nothing, and names what failed", async () => {
    s3.intercept = ({ url = "" }) => (url.includes("partNumber=2") ? 500 : undefined);
    const key = randomUUID();
    const put = driver.put(key, chunks(randomBytes(partSize * 2 + 1)));
    await expect(put).rejects.toThrow("The blob store failed to take part 2 of an upload");
    await expect(put).rejects.toBeInstanceOf(StorageUnavailableError);
    expect([await driver.head(key), await uploads()]).toEqual([null, 0]);
  });

  test("put whose answer is lost leaves nothing", async () => {
    const key = randomUUID();
    s3.intercept = ({ method }) => (method === "PUT" ? "cut" : undefined);
    await expect(driver.put(key, chunks(randomBytes(10)))).rejects.toBeInstanceOf(StorageUnavailableError);
    expect(await driver.head(key)).toBeNull();
  });

  test("delete aborts what a dead process began", async () => {
    const key = randomUUID();
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    s3.intercept = ({ url = "", method }) => (url.includes("partNumber=2") || method === "DELETE" ? 503 : undefined);
    await expect(driver.put(key, chunks(randomBytes(partSize * 2)))).rejects.toBeInstanceOf(StorageUnavailableError);
    expect(log).toHaveBeenCalledWith(`Could not remove blob ${key}:`, expect.any(StorageUnavailableError));
    expect(await uploads()).toBe(1);
    s3.intercept = () => undefined;
    await driver.delete(key);
    expect(await uploads()).toBe(0);
  });

  test.each(["get", "head", "delete", "check"] as const)("%s throws when the bucket is not there", async (method) => {
    await expect(driverOf("nowhere")[method](randomUUID())).rejects.toBeInstanceOf(StorageUnavailableError);
  });

  test("get throws when the store answers with fewer bytes than were asked for", async () => {
    const key = randomUUID();
    await driver.put(key, chunks(randomBytes(10)));
    await expect(driver.get(key, { start: 8, end: 11 })).rejects.toThrow("answered bytes 8-11");
  });

  test("get of which the reader goes away frees its connection", async () => {
    const key = randomUUID();
    await driver.put(key, chunks(randomBytes(5_000_000)));
    const reader = (await driver.get(key))?.getReader();
    await reader?.read();
    await reader?.cancel();
    expect(await driver.head(key)).toEqual({ size: 5_000_000 });
  });

  test("check resolves when the bucket answers", async () => {
    await driver.check();
  });
});
