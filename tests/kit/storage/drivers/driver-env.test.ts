import { describe, expect, test } from "vitest";
import { readDriverEnv } from "~/kit/storage/blobs";

const token = "vercel_blob_rw_store_secret";

describe("readDriverEnv", () => {
  test.each([
    [{}, { STORAGE_DRIVER: "disk" }],
    [{ STORAGE_DRIVER: "" }, { STORAGE_DRIVER: "disk" }],
    [{ BLOB_READ_WRITE_TOKEN: token }, { STORAGE_DRIVER: "vercel-blob" }],
    [{ BLOB_STORE_ID: "store_1", VERCEL: "1" }, { STORAGE_DRIVER: "vercel-blob" }],
    [{ BLOB_STORE_ID: "store_1", VERCEL_OIDC_TOKEN: "t" }, { STORAGE_DRIVER: "vercel-blob" }],
    [{ BLOB_READ_WRITE_TOKEN: token, STORAGE_DRIVER: "disk" }, { STORAGE_DRIVER: "disk" }],
    [
      { STORAGE_DRIVER: "s3", S3_BUCKET: "b", S3_REGION: "r", VERCEL: "1" },
      { STORAGE_DRIVER: "s3", S3_BUCKET: "b", S3_REGION: "r" },
    ],
    [
      { STORAGE_DRIVER: "s3", S3_BUCKET: "b", S3_REGION: "auto", S3_ENDPOINT: "http://localhost:9000" },
      { S3_ENDPOINT: "http://localhost:9000" },
    ],
  ])("%j chooses %j", (variables, chosen) => {
    expect(readDriverEnv(variables)).toMatchObject(chosen);
  });

  test.each([
    [{ STORAGE_DRIVER: "floppy" }, /STORAGE_DRIVER: put "disk", "s3" or "vercel-blob" there/],
    [{ VERCEL: "1" }, /STORAGE_DRIVER: Vercel's disks vanish: .*vercel blob create-store/],
    [{ STORAGE_DRIVER: "disk", BLOB_STORE_ID: "s", VERCEL: "1" }, /STORAGE_DRIVER: Vercel's disks vanish/],
    [{ STORAGE_DRIVER: "s3" }, /S3_BUCKET: .*aws s3 mb.*\n {2}S3_REGION: /],
    [{ STORAGE_DRIVER: "s3", S3_BUCKET: "b", S3_REGION: "r", S3_ENDPOINT: "localhost" }, /S3_ENDPOINT: /],
    [{ BLOB_STORE_ID: "s" }, /BLOB_READ_WRITE_TOKEN: .*vercel env pull/],
    [{ BLOB_STORE_ID: "s", VERCEL: "1", VERCEL_ENV: "development" }, /BLOB_READ_WRITE_TOKEN: .*vercel env pull/],
    [{ STORAGE_DRIVER: "vercel-blob" }, /BLOB_READ_WRITE_TOKEN: .*vercel env pull/],
  ])("%j is refused with %s", (variables, message) => {
    expect(() => readDriverEnv(variables)).toThrow(message);
  });
});
