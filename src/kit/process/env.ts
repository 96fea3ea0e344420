import { createEnv } from "@t3-oss/env-nextjs";
import { z } from "zod";

const production = process.env.NODE_ENV === "production";
const onVercel = process.env.VERCEL === "1";

const origin = z
  .url({ protocol: /^https?$/, error: 'put the public origin there, as "https://files.example.com"' })
  .transform((url) => new URL(url).origin);

/** Every setting of the server, parsed once. docs/settings.md has the table. A wrong value stops the start with its name. */
export const env = createEnv({
  server: {
    DATABASE_URL: z.url({
      protocol: /^postgres(ql)?$/,
      error: 'put a PostgreSQL URL there, as "postgresql://user:password@host:5432/database"',
    }),
    /** A direct connection where `DATABASE_URL` is a transaction pooler: listening for changes and migrating need one. */
    DIRECT_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: "put a PostgreSQL URL there" }).optional(),
    /** The same by the names that Neon's and Vercel's integrations give it. */
    DATABASE_URL_UNPOOLED: z.url({ protocol: /^postgres(ql)?$/, error: "put a PostgreSQL URL there" }).optional(),
    POSTGRES_URL_NON_POOLING: z.url({ protocol: /^postgres(ql)?$/, error: "put a PostgreSQL URL there" }).optional(),
    /** Connections for functions; half as many more look up who calls. */
    DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(1000).optional(),
    /** Milliseconds that a query may take, and a mutation with all its attempts. */
    TRANSACTION_TIMEOUT: z.coerce.number().int().positive().default(30_000),
    /** Milliseconds that an action may take; then its signal is aborted. */
    ACTION_TIMEOUT: z.coerce.number().int().positive().default(600_000),
    /** Milliseconds that an idle connection is kept: longer than the balancer in front keeps it. */
    KEEP_ALIVE_TIMEOUT: z.coerce.number().int().positive().default(70_000),
    /** Milliseconds that a process which is asked to end waits for requests and jobs under way. */
    STOP_TIMEOUT: z.coerce.number().int().positive().default(25_000),
    /** The first signs, all verify, so that a secret can be replaced without breaking links. */
    APP_SECRET: z
      .string({ error: "put a random string there; `openssl rand -base64 32` makes one" })
      .transform((list) => list.split(",").map((secret) => secret.trim()))
      .refine((secrets) => secrets.every((secret) => secret.length >= 32), {
        error: "each secret needs 32 characters or more; `openssl rand -base64 32` makes one",
      }),
    /** On Vercel by default the name that Vercel gives: see origin.ts. */
    APP_ORIGIN: production && !(onVercel && process.env.VERCEL_URL) ? origin : origin.optional(),
    /** The issuer of the app's own sessions and tokens: part of every owner's name, so never change it. */
    AUTH_OWN_ISSUER: z.string().min(1).default("next-trpc-storage"),
    /** The issuer of others' Bearer tokens; more in src/kit.ts. */
    AUTH_ISSUER: z.url({ error: "put the issuer's URL there, exactly as its tokens have it" }).optional(),
    AUTH_AUDIENCE: z.string().min(1).optional(),
    AUTH_JWKS_URL: z.url().optional(),
    /** Accepts tokens of AUTH_ISSUER that say for no app that they are, as some providers' access tokens. */
    AUTH_WITHOUT_AUDIENCE: z.enum(["0", "1"], { error: "put 1 there, or leave it out" }).default("0"),
    /** Origins whose pages may call the shipped HTTP actions. */
    CLIENT_ORIGIN: z.string().optional(),
    /** Guards `/api/cron`. */
    CRON_SECRET: z.string().min(16, { error: "put 16 random characters or more there" }).optional(),
    /** How pages hear of changes; `auto` streams where processes live long, and looks now and then on Vercel. */
    LIVE_TRANSPORT: z
      .enum(["auto", "stream", "poll"], { error: 'put "auto", "stream" or "poll" there' })
      .default("auto"),
    /**
     * Bytes from which a cloud store serves a file itself, by a redirect to a signed URL of its own; by default never. On
     * Vercel, which charges for bytes that pass through functions, 4 MiB.
     */
    STORAGE_REDIRECT_ABOVE: z.coerce
      .number()
      .int()
      .nonnegative()
      .optional()
      .transform((bytes) => bytes ?? (onVercel ? 4 * 1024 * 1024 : undefined)),
    STORAGE_DISK_PATH: z.string().min(1).default(".data/storage"),
    /** Who may keep files that were served: the browser, or with `public` also a CDN in front. */
    STORAGE_CACHE: z.enum(["private", "public"], { error: 'put "private" or "public" there' }).default("private"),
    /** Proxies in front that may name the client's address, and the request's id. */
    TRUST_PROXY: z.coerce.number().int().nonnegative().default(0),
    /** Upload URLs, sign-ins and calls of open HTTP actions a minute, of one identity or address. */
    RATE_LIMIT_UPLOADS: z.coerce.number().int().positive().default(600),
    RATE_LIMIT_SIGN_IN: z.coerce.number().int().positive().default(30),
    RATE_LIMIT_HTTP: z.coerce.number().int().positive().default(600),
    /** Messages sent a minute; of one identity or address. */
    RATE_LIMIT_MESSAGES: z.coerce.number().int().positive().default(600),
    /** Images saved or made, and URLs fetched for them, a minute; of one identity or address. */
    RATE_LIMIT_IMAGES: z.coerce.number().int().positive().default(120),
    RATE_LIMIT_FETCHES: z.coerce.number().int().positive().default(30),
    /** Ports that `fetchPublic` connects to, comma-separated. */
    FETCH_PORTS: z
      .string()
      .regex(/^\d+(,\d+)*$/, { error: 'put ports there, for example "80,443"' })
      .default("80,443")
      .transform((list) => list.split(",").map(Number)),
    /** Bytes that one identity may store. */
    STORAGE_QUOTA: z.coerce
      .number()
      .int()
      .nonnegative()
      .default(100 * 1024 ** 3),
    /** Hours that the bytes of a deleted file are kept, so that it can be restored, and backups are whole. */
    DELETED_FILE_RETENTION_HOURS: z.coerce
      .number()
      .int()
      .nonnegative()
      .default(production ? 24 : 0),
    /** Hours that a file may exist before it is collected when no row refers to it. */
    UNREFERENCED_GRACE_HOURS: z.coerce.number().int().nonnegative().default(24),
    /** How many calls of functions the log keeps, of how many bytes, and for how many days; 0 calls for no log. */
    CALL_LOG_ROWS: z.coerce.number().int().nonnegative().default(1_000_000),
    CALL_LOG_BYTES: z.coerce
      .number()
      .int()
      .nonnegative()
      .default(1024 ** 3),
    CALL_LOG_DAYS: z.coerce.number().positive().default(7),
    /** Milliseconds an upload may go without a byte. */
    UPLOAD_STALL_TIMEOUT: z.coerce.number().int().positive().default(120_000),
  },
  experimental__runtimeEnv: {},
  emptyStringAsUndefined: true,
  // The build only loads the modules; settings are those of the start.
  skipValidation: process.env.NEXT_PHASE === "phase-production-build",
  onValidationError: (issues) => {
    const lines = issues.map((issue) => `  ${issue.path?.join(".")}: ${issue.message}`);
    const message = `Cannot start, settings are missing or wrong:\n${lines.join("\n")}`;
    // Where it was noticed helps nobody.
    throw Object.assign(new Error(message), { stack: message });
  },
});
