import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { parseArgs } from "../functions/args";
import { quote } from "../log/text";
import { env } from "../process/env";
import { newStorageId } from "./file";

// Everything that the storage signs: upload tokens, receipts of direct uploads, and file URLs.

/** The tokens that carry what they allow, by purpose. */
interface Tokens {
  "upload-url": UploadToken;
  "direct-upload": Receipt;
}

/** A signature for one purpose is refused for every other. */
type Purpose = keyof Tokens | "file-url";

/** Signs `text` with HMAC-SHA-256 and the first secret of `APP_SECRET`. Returns 43 base64url characters. */
export function sign(purpose: Purpose, text: string): string {
  const [current = ""] = env.APP_SECRET;
  return hmac(keyOf(current, purpose), text);
}

/** Whether any secret of `APP_SECRET` signed `text`. Compares in constant time. */
export function isSignedBy(signature: string, purpose: Purpose, text: string): boolean {
  // The texts are compared, not the bytes they decode to, because base64url has several spellings of the same bytes.
  const given = Buffer.from(signature);
  return env.APP_SECRET.map((secret) => Buffer.from(hmac(keyOf(secret, purpose), text)))
    .map((expected) => expected.length === given.length && timingSafeEqual(expected, given))
    .includes(true);
}

const hmac = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest("base64url");

const keys = new Map<string, Buffer>();

function keyOf(secret: string, purpose: Purpose): Buffer {
  const name = `${purpose} ${secret}`;
  const key = keys.get(name) ?? Buffer.from(hkdfSync("sha256", secret, "", purpose, 32));
  keys.set(name, key);
  return key;
}

/** `<payload as base64url JSON>.<signature>` */
function createToken<P extends keyof Tokens>(purpose: P, payload: Tokens[P]): string {
  const encoded = Buffer.from(JSON.stringify(payload)).toString("base64url");
  return `${encoded}.${sign(purpose, encoded)}`;
}

/** The payload of a token, whether or not it has expired; `null` for a token that this app did not sign. */
function readToken<P extends keyof Tokens>(purpose: P, token: string): Tokens[P] | null {
  const [encoded = "", signature = "", ...rest] = token.split(".");
  if (rest.length > 0 || !isSignedBy(signature, purpose, encoded)) return null;
  return JSON.parse(Buffer.from(encoded, "base64url").toString());
}

/** What an upload URL allows. */
export interface UploadToken {
  /** The id that the file will have: one token makes one file. */
  storageId: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
  /** Bytes. */
  maxSize?: number;
  /** For example `image/png` or `image/*`. */
  contentTypes?: string[];
  /** The owner of the file, as `tokenIdentifier`: the identity that asked for the URL. */
  owner?: string;
}

export interface UploadLimits {
  /** The largest file to accept, in bytes. Default: no limit. */
  maxSize?: number;
  /** The types to accept, for example `["image/*", "application/pdf"]`. Default: all. */
  contentTypes?: string[];
}

/** The numbers keep the URL shorter than a server's limit for the head of a request. */
export const uploadLimits = z.object({
  maxSize: z.int().nonnegative().optional(),
  contentTypes: z
    .array(
      z
        .string()
        .max(127)
        .regex(/^[\w!#$&^.+-]+\/([\w!#$&^.+-]+|\*)$/, {
          error: ({ input }) => `Invalid content type ${quote(input)}; write "image/png" or "image/*"`,
        }),
    )
    .min(1)
    .max(50)
    .optional(),
});

const uploadUrlLifetimeMs = 60 * 60 * 1000;

/**
 * Returns a URL that accepts one upload within the next hour.
 * @throws TRPCError `BAD_REQUEST`
 */
export function createUploadUrl(origin: string, limits: UploadLimits = {}, owner?: string): string {
  const token = createToken("upload-url", {
    storageId: newStorageId(),
    expiresAt: Date.now() + uploadUrlLifetimeMs,
    ...parseArgs(uploadLimits, limits),
    owner,
  });
  return `${origin}/api/storage/upload?token=${token}`;
}

export const readUploadToken = (token: string): UploadToken | null => readToken("upload-url", token);

/** What a direct upload was started with. The client keeps it, signed, until it completes the upload. */
export interface Receipt {
  /** What the upload URL allows. The name must stay, because a receipt may be older than the running version. */
  permit: UploadToken;
  blobKey: string;
  /** The store's name for an upload in parts. */
  uploadId?: string;
  /** Bytes. */
  size: number;
  contentType: string | null;
  /** Lower-case hex. */
  sha256?: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export const createReceipt = (receipt: Receipt): string => createToken("direct-upload", receipt);

export const readReceipt = (text: string): Receipt | null => readToken("direct-upload", text);

export interface FileUrlOptions {
  /** Milliseconds that the URL works at least. Default: until the file is deleted. */
  expiresIn?: number;
  /** The browser saves the file under this name instead of showing it. At most 255 characters. */
  downloadAs?: string;
}

/** What a file URL allows. It is in the URL as it is, so that the URL stays short; only its signature is added. */
export interface FileToken {
  storageId: string;
  /** Seconds since the epoch. */
  expires?: number;
  download?: string;
}

const fileUrlOptions = z.object({
  expiresIn: z.number().positive().max(1e14).optional(),
  downloadAs: z.string().max(255).optional(),
});

/**
 * Returns `/api/storage/<storage id>/<signature>?expires=…&download=…`, always the same string for the same file, expiry and
 * name.
 * @throws TRPCError `BAD_REQUEST`
 */
export function createFileUrl(origin: string, storageId: string, options: FileUrlOptions = {}): string {
  const { expiresIn, downloadAs } = parseArgs(fileUrlOptions, options);
  const query = new URLSearchParams();
  if (expiresIn !== undefined) query.set("expires", String(roundedExpiry(expiresIn)));
  if (downloadAs !== undefined) query.set("download", downloadAs);
  const suffix = query.size > 0 ? `?${query}` : "";
  return `${origin}/api/storage/${storageId}/${sign("file-url", signedText(storageId, query))}${suffix}`;
}

const filePath = /^\/api\/storage\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/([\w-]{43})$/;

/** Reads a file URL. Returns `"malformed"` when it is not a file URL, and `"forged"` when this app did not sign it. */
export function readFileUrl({ pathname, searchParams }: URL): FileToken | "malformed" | "forged" {
  const [, storageId, signature] = filePath.exec(pathname) ?? [];
  const expires = searchParams.get("expires");
  if (!storageId || !signature || (expires !== null && !/^\d{1,12}$/.test(expires))) return "malformed";
  if (!isSignedBy(signature, "file-url", signedText(storageId, searchParams))) return "forged";
  return {
    storageId,
    expires: expires === null ? undefined : Number(expires),
    download: searchParams.get("download") ?? undefined,
  };
}

/** Contains every value of a parameter as it is spelled, so that none can be added, repeated or rewritten. */
const signedText = (storageId: string, query: URLSearchParams) =>
  JSON.stringify([storageId, query.getAll("expires"), query.getAll("download")]);

/**
 * The time in seconds at which a URL expires. It is rounded up by at most a quarter of the lifetime, so that a list that is
 * fetched again has the same URLs and the browser reloads no image.
 */
function roundedExpiry(expiresInMs: number): number {
  const stepSeconds = Math.max(1, Math.floor(expiresInMs / 4000));
  return Math.ceil((Date.now() + expiresInMs) / 1000 / stepSeconds) * stepSeconds;
}
