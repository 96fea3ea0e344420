import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type BlobDriver, type Chunk, StorageUnavailableError } from "~/kit/storage/drivers/driver";
import { partSize } from "~/kit/storage/drivers/parts";
import { vercelBlobDriver } from "~/kit/storage/drivers/vercel-blob";
import { redirectBlobHost } from "../../stand-ins/redirect-blob-host.mjs";
import { readWriteToken, startVercelBlob, type VercelBlobStandIn } from "../../stand-ins/vercel-blob";
import { describeDriver } from "./driver-contract";

let store: VercelBlobStandIn;
let driver: BlobDriver;
let restoreHost: () => void;

beforeAll(async () => {
  store = await startVercelBlob();
  restoreHost = redirectBlobHost(store.url);
  vi.stubEnv("VERCEL_BLOB_API_URL", store.apiUrl);
  vi.stubEnv("VERCEL_BLOB_RETRIES", "0");
  vi.stubEnv("BLOB_READ_WRITE_TOKEN", readWriteToken);
  driver = vercelBlobDriver();
});
afterEach(() => {
  store.intercept = () => undefined;
});
afterAll(async () => {
  restoreHost();
  await store.stop();
});

async function* chunks(...parts: (Uint8Array | Error)[]): AsyncGenerator<Chunk> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield new Uint8Array(part);
  }
}

describeDriver(
  "vercelBlobDriver",
  async () => driver,
  (number) => {
    store.intercept = ({ headers }) => (headers["x-mpu-part-number"] === String(number) ? "cut" : undefined);
  },
);

describe("vercelBlobDriver", () => {
  test.each([partSize, partSize + 1, 2 * partSize + 5])("put and get of %i bytes", async (size) => {
    const key = randomUUID();
    const bytes = randomBytes(size);
    await driver.put(key, chunks(bytes));
    expect(await driver.head(key)).toEqual({ size });
    const read = await new Response(await driver.get(key)).arrayBuffer();
    expect(Buffer.from(read).equals(bytes)).toBe(true);
  });

  test("put of a body that breaks off in its second part leaves nothing", async () => {
    const broken = new Error("The line is cut");
    const key = randomUUID();
    await expect(driver.put(key, chunks(randomBytes(partSize + 1), broken))).rejects.toBe(broken);
    expect(await driver.head(key)).toBeNull();
  });

  test("put whose store fails names what failed, and leaves nothing", async () => {
    store.intercept = ({ headers }) => (headers["x-mpu-part-number"] === "2" ? 500 : undefined);
    const key = randomUUID();
    const put = driver.put(key, chunks(randomBytes(partSize * 2)));
    await expect(put).rejects.toThrow("The blob store failed to take part 2 of an upload");
    await expect(put).rejects.toBeInstanceOf(StorageUnavailableError);
    expect(await driver.head(key)).toBeNull();
  });

  test.each(["get", "head", "delete", "check"] as const)("%s throws when the token is refused", async (method) => {
    vi.stubEnv("BLOB_READ_WRITE_TOKEN", `${readWriteToken}-not`);
    await expect(driver[method](randomUUID())).rejects.toBeInstanceOf(StorageUnavailableError);
    vi.stubEnv("BLOB_READ_WRITE_TOKEN", readWriteToken);
  });

  test("get throws when the store answers with fewer bytes than were asked for", async () => {
    const key = randomUUID();
    await driver.put(key, chunks(randomBytes(10)));
    await expect(driver.get(key, { start: 8, end: 11 })).rejects.toThrow("answered bytes 8-11");
  });

  test("check resolves when the store answers", async () => {
    await driver.check();
  });
});
