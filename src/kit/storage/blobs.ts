import { resolve } from "node:path";
import { z } from "zod";
import { traced } from "../log/tracing";
import { env, onVercel } from "../process/env";
import { processWide } from "../process/process-wide";
import { diskDriver } from "./drivers/disk";
import type { BlobDriver } from "./drivers/driver";
import { s3Driver } from "./drivers/s3";
import { vercelBlobDriver } from "./drivers/vercel-blob";
import { appendsOf, directOf, type Store, twoStores } from "./two-stores";

/** Variables that Vercel sets. */
const system = { VERCEL: z.string().optional(), VERCEL_ENV: z.string().optional() };

const disk = z.object({ STORAGE_DRIVER: z.literal("disk"), ...system }).refine((variables) => !onVercel(variables), {
  path: ["STORAGE_DRIVER"],
  error: "Vercel's disks vanish: connect a Blob store to the project (`npx vercel blob create-store`), or use S3",
});

const s3 = z.object({
  STORAGE_DRIVER: z.literal("s3"),
  S3_BUCKET: z.string({ error: "put the bucket's name there; `aws s3 mb s3://NAME` makes one" }),
  S3_REGION: z.string({ error: "put the bucket's region there; `aws configure get region` says yours, R2 has auto" }),
  /** Set for a store that is not Amazon's. */
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

/** The stores that the environment names: the one that new blobs go to, and the other one while files move between two. */
export const stores = processWide("stores", (): { first: Store; second: Store | null } => {
  // The build only loads the modules. The settings are those of the start.
  if (process.env.NEXT_PHASE === "phase-production-build") {
    return { first: { name: "disk", driver: diskDriver("") }, second: null };
  }
  return { first: openStore(process.env), second: env.SECOND_STORAGE_DRIVER ? openStore(secondEnv()) : null };
});

/** The blob store of the app. */
export const blobs = processWide("blobs", () => {
  const { first, second } = stores;
  return tracedDriver(
    second ? twoStores(first, second) : { ...first.driver, append: appendsOf(first), direct: directOf(first) },
  );
});

/** The settings of the second store. A setting that begins with `SECOND_` replaces the first store's setting. */
function secondEnv(): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(([name, value]) => name.startsWith("SECOND_") && value !== "");
  return { ...process.env, ...Object.fromEntries(own.map(([name, value]) => [name.slice("SECOND_".length), value])) };
}

function openStore(variables: Record<string, string | undefined>): Store {
  const settings = readDriverEnv(variables);
  switch (settings.STORAGE_DRIVER) {
    case "disk": {
      const folder = variables.STORAGE_DISK_PATH || env.STORAGE_DISK_PATH;
      return { name: `disk ${resolve(folder)}`, driver: diskDriver(folder) };
    }
    case "s3": {
      const { S3_BUCKET: bucket, S3_REGION: region, S3_ENDPOINT: endpoint } = settings;
      return { name: `s3 ${endpoint ?? region}/${bucket}`, driver: s3Driver({ bucket, region, endpoint }) };
    }
    case "vercel-blob":
      return { name: `vercel-blob ${settings.BLOB_STORE_ID ?? ""}`.trim(), driver: vercelBlobDriver() };
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
