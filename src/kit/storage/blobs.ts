import { z } from "zod";
import { traced } from "../log/tracing";
import { env, onVercel } from "../process/env";
import { processWide } from "../process/process-wide";
import { diskDriver } from "./drivers/disk";
import type { BlobDriver } from "./drivers/driver";
import { s3Driver } from "./drivers/s3";
import { vercelBlobDriver } from "./drivers/vercel-blob";

/** What Vercel says of itself. */
const system = { VERCEL: z.string().optional(), VERCEL_ENV: z.string().optional() };

const disk = z.object({ STORAGE_DRIVER: z.literal("disk"), ...system }).refine((variables) => !onVercel(variables), {
  path: ["STORAGE_DRIVER"],
  error: "Vercel's disks vanish: connect a Blob store to the project (`npx vercel blob create-store`), or use S3",
});

const s3 = z.object({
  STORAGE_DRIVER: z.literal("s3"),
  S3_BUCKET: z.string({ error: "put the bucket's name there; `aws s3 mb s3://NAME` makes one" }),
  S3_REGION: z.string({ error: "put the bucket's region there; `aws configure get region` says yours, R2 has auto" }),
  /** For a store that is not Amazon's. */
  S3_ENDPOINT: z
    .url({ protocol: /^https?$/, error: "put the store's URL there, as https://s3.example.com" })
    .optional(),
});

const vercelBlob = z
  .object({
    STORAGE_DRIVER: z.literal("vercel-blob"),
    BLOB_READ_WRITE_TOKEN: z.string().optional(),
    /** Used with the OIDC token that Vercel gives the deployment. */
    BLOB_STORE_ID: z.string().optional(),
    VERCEL_OIDC_TOKEN: z.string().optional(),
    ...system,
  })
  .refine((env) => env.BLOB_READ_WRITE_TOKEN || (env.BLOB_STORE_ID && (onVercel(env) || env.VERCEL_OIDC_TOKEN)), {
    path: ["BLOB_READ_WRITE_TOKEN"],
    error: "connect a Blob store to the project; then `npx vercel env pull` writes its token to .env.local",
  });

const schema = z.discriminatedUnion("STORAGE_DRIVER", [disk, s3, vercelBlob], {
  error: 'put "disk", "s3" or "vercel-blob" there, or leave it out',
});

/** The settings of the blob store. Throws with the name of what is missing or wrong, and what to put there. */
export function readDriverEnv(variables: Record<string, string | undefined>): z.infer<typeof schema> {
  const set = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ""));
  const driver = set.BLOB_READ_WRITE_TOKEN || set.BLOB_STORE_ID ? "vercel-blob" : "disk";
  const { data, error } = schema.safeParse({ STORAGE_DRIVER: driver, ...set });
  if (data) return data;
  const lines = error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`Cannot start, settings of the blob store are missing or wrong:\n${lines.join("\n")}`);
}

/** The blob store that the environment names. */
export const blobs = processWide("blobs", () => tracedDriver(openStore()));

function openStore(): BlobDriver {
  // The build only loads the modules. The settings are those of the start.
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

/** Makes each call of the driver a span of the trace. */
function tracedDriver(driver: BlobDriver): BlobDriver {
  const span = <R>(operation: string, key: string, call: () => Promise<R>) =>
    traced(`blob ${operation}`, { "blob.key": key }, call);
  return {
    ...driver,
    put: (...args) => span("put", args[0], () => driver.put(...args)),
    get: (key, range) => span("get", key, () => driver.get(key, range)),
    getWhole:
      driver.getWhole && ((...args) => span("get", args[0], async () => (await driver.getWhole?.(...args)) ?? null)),
    head: (key) => span("head", key, () => driver.head(key)),
    delete: (key) => span("delete", key, () => driver.delete(key)),
  };
}
