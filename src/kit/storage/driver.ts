import { traced } from "../log/tracing";
import { env } from "../process/env";
import { processWide } from "../process/process-wide";
import { diskDriver } from "./drivers/disk";
import type { BlobDriver } from "./drivers/driver";
import { readDriverEnv } from "./drivers/driver-env";
import { s3Driver } from "./drivers/s3";
import { vercelBlobDriver } from "./drivers/vercel-blob";

/** The blob store that the environment names. */
export const blobs = processWide("blobs", () => tracedDriver(openStore()));

function openStore(): BlobDriver {
  // The build only loads the modules; settings are those of the start.
  if (process.env.NEXT_PHASE === "phase-production-build") return diskDriver("");
  const settings = readDriverEnv(process.env);
  switch (settings.STORAGE_DRIVER) {
    case "disk":
      return diskDriver(env.STORAGE_DISK_PATH);
    case "s3":
      return s3Driver({ bucket: settings.S3_BUCKET, region: settings.S3_REGION, endpoint: settings.S3_ENDPOINT });
    case "vercel-blob":
      return vercelBlobDriver();
  }
}

/** The driver, each call of it a span. */
function tracedDriver(driver: BlobDriver): BlobDriver {
  const span = <R>(operation: string, key: string, call: () => Promise<R>) =>
    traced(`blob ${operation}`, { "blob.key": key }, call);
  return {
    ...driver,
    put: (...args) => span("put", args[0], () => driver.put(...args)),
    get: (key, range) => span("get", key, () => driver.get(key, range)),
    head: (key) => span("head", key, () => driver.head(key)),
    delete: (key) => span("delete", key, () => driver.delete(key)),
  };
}
