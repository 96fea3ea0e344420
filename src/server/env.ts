import { createEnv } from "@t3-oss/env-nextjs";
import { z } from "zod";

const production = process.env.NODE_ENV === "production";

const origin = z
  .url({ protocol: /^https?$/, error: 'put the public origin there, as "https://files.example.com"' })
  .transform((url) => new URL(url).origin);

/** Every setting of the server, parsed once; README has the table. A wrong one stops the start, named. */
export const env = createEnv({
  server: {
    DATABASE_URL: z.url({
      protocol: /^postgres(ql)?$/,
      error: 'put a PostgreSQL URL there, as "postgresql://user:password@host:5432/database"',
    }),
    /** A direct connection where `DATABASE_URL` is a transaction pooler: listening for changes and migrating need one. */
    DIRECT_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: "put a PostgreSQL URL there" }).optional(),
    /** The first signs, all verify, so that a secret can be replaced without breaking links. */
    APP_SECRET: z
      .string({ error: "put a random string there; `openssl rand -base64 32` makes one" })
      .transform((list) => list.split(",").map((secret) => secret.trim()))
      .refine((secrets) => secrets.every((secret) => secret.length >= 32), {
        error: "each secret needs 32 characters or more; `openssl rand -base64 32` makes one",
      }),
    APP_ORIGIN: production ? origin : origin.optional(),
    /** Origins whose pages may call the shipped HTTP actions. */
    CLIENT_ORIGIN: z.string().optional(),
    /** Guards `/api/cron`. */
    CRON_SECRET: z.string().min(16, { error: "put 16 random characters or more there" }).optional(),
    STORAGE_DRIVER: z.enum(["disk"], { error: 'put "disk" there, or leave it out' }).default("disk"),
    STORAGE_DISK_PATH: z.string().min(1).default(".data/storage"),
    /** Who may keep files that were served: the browser, or with `public` also a CDN in front. */
    STORAGE_CACHE: z.enum(["private", "public"], { error: 'put "private" or "public" there' }).default("private"),
    /** Hours that a file may exist before it is collected when no row refers to it. */
    UNREFERENCED_GRACE_HOURS: z.coerce.number().int().nonnegative().default(24),
    /** Milliseconds an upload may go without a byte. */
    UPLOAD_STALL_TIMEOUT: z.coerce.number().int().positive().default(120_000),
  },
  experimental__runtimeEnv: {},
  emptyStringAsUndefined: true,
  // The build only loads the modules; settings are those of the start.
  skipValidation: process.env.NEXT_PHASE === "phase-production-build",
  onValidationError: (issues) => {
    const lines = issues.map((issue) => `  ${issue.path?.join(".")}: ${issue.message}`);
    throw new Error(`Cannot start, settings are missing or wrong:\n${lines.join("\n")}`);
  },
});
