import { createEnv } from "@t3-oss/env-nextjs";
import { z } from "zod";

const production = process.env.NODE_ENV === "production";

/**
 * Whether this process runs on Vercel. `vercel env pull` and `vercel dev` set `VERCEL=1` on developers' machines too, with
 * another `VERCEL_ENV`.
 */
export const onVercel = ({ VERCEL, VERCEL_ENV }: Record<string, string | undefined> = process.env): boolean =>
  VERCEL === "1" && VERCEL_ENV !== "development";

const originError = 'put the public origin there, without a path, for example "https://files.example.com"';
const origin = z
  .url({ protocol: /^https?$/, error: originError })
  .refine((url) => /^https?:\/\/[^/?#@,]+\/?$/i.test(url), { error: originError })
  .transform((url) => new URL(url).origin);

/** The longest time of a timer. With a longer one, Node.js would not wait at all. */
const longestMs = 2 ** 31 - 1;
/** A hundred years. A much longer time would lead to a date that PostgreSQL does not have. */
const longestHours = 876_000;

/** A whole number. */
function whole({ min, max = Number.MAX_SAFE_INTEGER }: { min: number; max?: number }) {
  const error = `put a whole number there, ${min} or more${max < Number.MAX_SAFE_INTEGER ? `, at most ${max}` : ""}`;
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

const databaseUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'put a PostgreSQL URL with one host there, for example "postgresql://user:password@host:5432/database"',
});

const milliseconds = () => whole({ min: 1, max: longestMs });
const hours = ({ min }: { min: number }) => whole({ min, max: longestHours });

/** The URL of a server with TLS or without. */
const webUrl = (advice: string) => z.url({ protocol: /^https?$/, error: advice });

/** Every setting of the server, parsed once. docs/settings.md explains them. A wrong value stops the start, which names it. */
export const env = createEnv({
  server: {
    DATABASE_URL: databaseUrl,
    /** A direct connection, for migrations and live queries, when `DATABASE_URL` is a transaction pooler. */
    DIRECT_DATABASE_URL: databaseUrl.optional(),
    /** The same setting, under the names that the integrations of Neon and Vercel set. */
    DATABASE_URL_UNPOOLED: databaseUrl.optional(),
    POSTGRES_URL_NON_POOLING: databaseUrl.optional(),
    /** Connections for functions. The kit opens half as many more for its own lookups, such as identities. */
    DATABASE_POOL_SIZE: whole({ min: 1, max: 1000 }).optional(),
    /** Milliseconds that a query may take, and a mutation with all its retries. */
    TRANSACTION_TIMEOUT: milliseconds().default(30_000),
    /** Milliseconds that an action may take before its signal is aborted. */
    ACTION_TIMEOUT: milliseconds().default(600_000),
    /** `0` lets Next.js route every request, including those for functions and files. */
    DIRECT_ROUTES: z.enum(["0", "1"], { error: "put 0 there, or leave it out" }).default("1"),
    /** Milliseconds that an idle connection is kept. Must be longer than the load balancer keeps it. */
    KEEP_ALIVE_TIMEOUT: milliseconds().default(70_000),
    /** Milliseconds that a stopping process waits for its requests and jobs. */
    STOP_TIMEOUT: milliseconds().default(25_000),
    /** A list. The first secret signs, and all verify, so that replacing a secret does not break links. */
    APP_SECRET: z
      .string({ error: "put a random string there, for example from `openssl rand -base64 32`" })
      .transform((list) => list.split(",").map((secret) => secret.trim()))
      .refine((secrets) => secrets.every((secret) => secret.length >= 32), {
        error: "each secret needs 32 characters or more, for example from `openssl rand -base64 32`",
      }),
    /** On Vercel the default is the deployment's own host: see origin.ts. */
    APP_ORIGIN: production && !(onVercel() && process.env.VERCEL_URL) ? origin : origin.optional(),
    /** A host of their own for file URLs: see files-host.ts. */
    FILES_ORIGIN: origin.optional(),
    /** The issuer of the app's own sessions and tokens. It is part of every `tokenIdentifier`, so never change it. */
    AUTH_OWN_ISSUER: z.string().min(1).default("next-trpc-storage"),
    /** Another issuer whose Bearer tokens are accepted. src/kit.ts can list more. */
    AUTH_ISSUER: webUrl("put the issuer's URL there, exactly as its tokens have it").optional(),
    AUTH_AUDIENCE: z.string().min(1).optional(),
    AUTH_JWKS_URL: webUrl("put the URL of the issuer's keys there, or leave it out").optional(),
    /** Accepts tokens of AUTH_ISSUER without an audience, such as the access tokens of some providers. */
    AUTH_WITHOUT_AUDIENCE: z.enum(["0", "1"], { error: "put 1 there, or leave it out" }).default("0"),
    /** The SMTP server, and the sender of mail. With them, new accounts must confirm their addresses. */
    SMTP_URL: z
      .url({
        protocol: /^smtps?$/,
        error: 'put the URL of an SMTP server there, as "smtps://user:password@smtp.example.com"',
      })
      .optional(),
    EMAIL_FROM: z
      .string()
      .regex(/[^\s<]@[^\s>]/, { error: 'put an address there, for example "Files <files@example.com>"' })
      .optional(),
    /** Sign-in with GitHub and Google. */
    GITHUB_CLIENT_ID: z.string().min(1).optional(),
    GITHUB_CLIENT_SECRET: z.string().min(1).optional(),
    GOOGLE_CLIENT_ID: z.string().min(1).optional(),
    GOOGLE_CLIENT_SECRET: z.string().min(1).optional(),
    /** Origins whose pages may call the HTTP actions of the demos. */
    CLIENT_ORIGIN: z.string().optional(),
    /** Guards `/api/cron`. */
    CRON_SECRET: z.string().min(16, { error: "put 16 random characters or more there" }).optional(),
    /** How pages learn of changes. `auto` polls on Vercel and streams everywhere else. */
    LIVE_TRANSPORT: z
      .enum(["auto", "stream", "poll"], { error: 'put "auto", "stream" or "poll" there' })
      .default("auto"),
    /**
     * Redirect downloads of at least this many bytes to the cloud store. Default: never, but 4 MiB on Vercel, which charges for
     * bytes that pass through functions.
     */
    STORAGE_REDIRECT_ABOVE: whole({ min: 0 })
      .optional()
      .transform((bytes) => bytes ?? (onVercel() ? 4 * 1024 * 1024 : undefined)),
    STORAGE_DISK_PATH: z.string().min(1).default(".data/storage"),
    /** While files move: the other store, and its settings where they differ. Files are read from it, too. */
    SECOND_STORAGE_DRIVER: z
      .enum(["disk", "s3", "vercel-blob"], { error: 'put "disk", "s3" or "vercel-blob" there' })
      .optional(),
    SECOND_STORAGE_DISK_PATH: z.string().min(1).optional(),
    SECOND_S3_BUCKET: z.string().min(1).optional(),
    SECOND_S3_REGION: z.string().min(1).optional(),
    SECOND_S3_ENDPOINT: z.url({ protocol: /^https?$/, error: "put the store's URL there" }).optional(),
    /** `private` lets browsers keep served files, and `public` also a CDN in front. */
    STORAGE_CACHE: z.enum(["private", "public"], { error: 'put "private" or "public" there' }).default("private"),
    /** How many proxies in front may name the client's address and the request's id. */
    TRUST_PROXY: whole({ min: 0 }).default(0),
    /** Calls a minute of one identity or network. docs/limits.md says what each of these limits counts. */
    RATE_LIMIT_UPLOADS: whole({ min: 1 }).default(600),
    RATE_LIMIT_SIGN_IN: whole({ min: 1 }).default(30),
    RATE_LIMIT_HTTP: whole({ min: 1 }).default(600),
    RATE_LIMIT_MESSAGES: whole({ min: 1 }).default(600),
    RATE_LIMIT_IMAGES: whole({ min: 1 }).default(120),
    RATE_LIMIT_FETCHES: whole({ min: 1 }).default(30),
    /** Ports that `fetchPublic` connects to, comma-separated. */
    FETCH_PORTS: z
      .string()
      .default("80,443")
      .transform((list) => list.split(",").map(Number))
      .refine((ports) => ports.every((port) => Number.isInteger(port) && port > 0 && port < 65_536), {
        error: 'put ports there, for example "80,443"',
      }),
    /** Bytes that one identity may store. */
    STORAGE_QUOTA: whole({ min: 0 }).default(100 * 1024 ** 3),
    /** Hours for which the bytes of a deleted file are kept, so that it can be restored and backups are complete. */
    DELETED_FILE_RETENTION_HOURS: hours({ min: 0 }).default(production ? 24 : 0),
    /** Hours after which a file that no foreign key references is deleted. */
    UNREFERENCED_GRACE_HOURS: hours({ min: 0 }).default(24),
    /** How many calls, bytes and days the function log keeps. 0 calls turn it off. */
    CALL_LOG_ROWS: whole({ min: 0 }).default(1_000_000),
    CALL_LOG_BYTES: whole({ min: 0 }).default(1024 ** 3),
    CALL_LOG_DAYS: z.coerce
      .number({ error: "put a number of days there" })
      .positive({ error: "put a number of days there" })
      .max(longestHours / 24, { error: "put a number of days there" })
      .default(7),
    /** Hours after which an upload in several requests is deleted if it is not complete. */
    UNFINISHED_UPLOAD_HOURS: hours({ min: 1 }).default(24),
    /** Milliseconds that an upload may go without a byte. */
    UPLOAD_STALL_TIMEOUT: milliseconds().default(120_000),
  },
  experimental__runtimeEnv: {},
  emptyStringAsUndefined: true,
  // The build only loads this module. Settings are read at the start.
  skipValidation: process.env.NEXT_PHASE === "phase-production-build",
  onValidationError: (issues) => {
    const lines = issues.map((issue) => `  ${issue.path?.join(".")}: ${issue.message}`);
    const message = `Cannot start, because settings are missing or wrong:\n${lines.join("\n")}`;
    // The stack would only show this line.
    throw Object.assign(new Error(message), { stack: message });
  },
});
