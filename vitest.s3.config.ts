import { defineConfig } from "vitest/config";
import config, { ofKit } from "./vitest.config";

const needed = ["S3_ENDPOINT", "S3_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
const missing = needed.filter((name) => !process.env[name]);
if (missing.length > 0) {
  throw new Error(
    `Set ${missing.join(", ")} to an S3 server whose key may make buckets; tests/kit/s3-server/radosgw.sh starts one`,
  );
}

/** The tests of the S3 driver against a server instead of its stand-in. */
export default defineConfig({
  ...config,
  test: { ...config.test, projects: [ofKit(["tests/kit/storage/**/*s3.test.ts"])], env: { S3_SERVER: "1" } },
});
