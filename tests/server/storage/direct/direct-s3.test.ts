import { afterAll } from "vitest";
import { accessKeyId, secretAccessKey } from "../../../stand-ins/aws-signature";
import { type S3StandIn, startS3 } from "../../../stand-ins/s3";
import { describeDirect } from "./direct-contract";

let s3: S3StandIn;

describeDirect("direct uploads to S3", async () => {
  s3 = await startS3();
  Object.assign(process.env, {
    STORAGE_DRIVER: "s3",
    S3_BUCKET: s3.bucket,
    S3_REGION: "us-east-1",
    S3_ENDPOINT: s3.url,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_MAX_ATTEMPTS: "1",
  });
  return {
    standIn: s3,
    count: () => ({ blobs: s3.objects.size, uploads: s3.uploads.size }),
    corrupt(bytes) {
      for (const object of s3.objects.values()) object.bytes = bytes;
    },
  };
});

afterAll(() => s3.stop());
