import { afterAll } from "vitest";
import type { S3Store } from "../../stand-ins/s3";
import { openS3 } from "../open-s3";
import { describeDirect } from "./direct-contract";

let s3: S3Store;

describeDirect("direct uploads to S3", async () => {
  s3 = await openS3();
  Object.assign(process.env, s3.settings, { STORAGE_DRIVER: "s3" });
  return { standIn: s3, count: s3.count, corrupt: s3.corrupt };
});

afterAll(() => s3.stop());
