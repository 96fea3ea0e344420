import { z } from "zod";

const disk = z
  .object({ STORAGE_DRIVER: z.literal("disk"), VERCEL: z.string().optional() })
  .refine(({ VERCEL }) => VERCEL !== "1", {
    path: ["STORAGE_DRIVER"],
    error: "Vercel's disks vanish: connect a Blob store to the project (`npx vercel blob create-store`), or use S3",
  });

const s3 = z.object({
  STORAGE_DRIVER: z.literal("s3"),
  S3_BUCKET: z.string({ error: "put the bucket's name there; `aws s3 mb s3://NAME` makes one" }),
  S3_REGION: z.string({ error: "put the bucket's region there; `aws configure get region` says yours, R2 has auto" }),
  /** Of a store that is not Amazon's. */
  S3_ENDPOINT: z
    .url({ protocol: /^https?$/, error: "put the store's URL there, as https://s3.example.com" })
    .optional(),
});

const vercelBlob = z
  .object({
    STORAGE_DRIVER: z.literal("vercel-blob"),
    BLOB_READ_WRITE_TOKEN: z.string().optional(),
    /** With the OIDC token that Vercel gives the deployment. */
    BLOB_STORE_ID: z.string().optional(),
  })
  .refine((env) => env.BLOB_READ_WRITE_TOKEN || env.BLOB_STORE_ID, {
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
