import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sizeOfPart } from "~/server/storage/drivers/parts";
import { s3Driver } from "~/server/storage/drivers/s3";

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

describe("an S3 store over a slow network", () => {
  let silent = false;
  const server = createServer((request, response) => {
    // A little at a time: no request is quick, and none is still.
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
    driver = s3Driver({ bucket: "b", region: "r", endpoint: `http://127.0.0.1:${port}`, stallTimeout: 1_500 });
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
