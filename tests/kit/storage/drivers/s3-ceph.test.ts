import { createHash, randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BlobDriver } from "~/kit/storage/drivers/driver";
import { s3Driver } from "~/kit/storage/drivers/s3";
import { type S3Store, startS3 } from "../../stand-ins/s3";

describe("s3Driver on a store of Ceph's kind", () => {
  let s3: S3Store;
  let driver: BlobDriver;
  beforeAll(async () => {
    s3 = await startS3("Ceph");
    Object.assign(process.env, s3.settings);
    const { S3_BUCKET: bucket, S3_REGION: region, S3_ENDPOINT: endpoint } = s3.settings;
    driver = s3Driver({ bucket, region, endpoint });
  });
  afterAll(() => s3.stop());

  const bytes = randomBytes(1000);
  const size = bytes.length;
  const begin = (key: string, sha256?: string) => driver.direct?.begin?.(key, { size, contentType: null, sha256 });

  test("direct.complete may be repeated", async () => {
    const key = randomUUID();
    const upload = { uploadId: await begin(key), size, contentType: null };
    const [part] = (await driver.direct?.sign(key, upload, [1], new Date(Date.now() + 60_000))) ?? [];
    await fetch(part?.url ?? "", { method: "PUT", body: bytes });
    const complete = () => driver.direct?.complete(key, upload, []);
    expect([await complete(), await complete()]).toEqual([{ size }, { size }]);
  });

  test("direct.begin takes a file in parts whose SHA-256 the store would not verify", async () => {
    const before = await s3.count();
    const uploadId = await begin(randomUUID(), createHash("sha256").update(bytes).digest("hex"));
    expect(uploadId).toEqual(expect.any(String));
    expect(await s3.count()).toEqual({ ...before, uploads: before.uploads + 1 });
  });
});
