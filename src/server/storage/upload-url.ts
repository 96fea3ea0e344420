import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { isSignedBy, sign } from "./signature";
import { newStorageId } from "./storage-id";

const lifetime = 60 * 60 * 1000;

/** What an upload URL allows; all of it is signed. */
export interface UploadPermit {
  /** The id that the file will have: one permit makes one file. */
  storageId: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
  /** Bytes. */
  maxSize?: number;
  /** As `image/png` or `image/*`. */
  contentTypes?: string[];
}

export interface UploadLimits {
  /** The largest file it takes, in bytes; by default any. */
  maxSize?: number;
  /** The types it takes, as `["image/*", "application/pdf"]`; by default any. */
  contentTypes?: string[];
}

const limitsSchema = z.object({
  maxSize: z.int().nonnegative().optional(),
  contentTypes: z
    .array(
      z.string().regex(/^[\w!#$&^.+-]+\/([\w!#$&^.+-]+|\*)$/, {
        error: ({ input }) => `Invalid content type ${JSON.stringify(input)}; write "image/png" or "image/*"`,
      }),
    )
    .max(100)
    .optional(),
});

/** A URL that takes one upload within the next hour. */
export function createUploadUrl(origin: string, limits: UploadLimits = {}): string {
  const { data, error } = limitsSchema.safeParse(limits);
  if (error) throw new TRPCError({ code: "BAD_REQUEST", message: z.prettifyError(error) });
  const permit: UploadPermit = { storageId: newStorageId(), expiresAt: Date.now() + lifetime, ...data };
  const payload = Buffer.from(JSON.stringify(permit)).toString("base64url");
  return `${origin}/api/storage/upload?token=${payload}.${sign("upload-url", payload)}`;
}

/** The permit in a token, expired or not; `null` when we did not sign it. */
export function readUploadToken(token: string): UploadPermit | null {
  const [payload = "", signature = "", ...rest] = token.split(".");
  if (rest.length > 0 || !isSignedBy(signature, "upload-url", payload)) return null;
  return JSON.parse(Buffer.from(payload, "base64url").toString()) as UploadPermit;
}

/** Whether a permit's list of types takes this one; parameters such as `charset` do not count. */
export function allowsContentType(permit: UploadPermit, contentType: string | null): boolean {
  if (!permit.contentTypes) return true;
  const [essence = ""] = (contentType ?? "").toLowerCase().split(";");
  const type = essence.trim();
  return permit.contentTypes.some((allowed) => {
    const pattern = allowed.toLowerCase();
    return pattern.endsWith("/*")
      ? type.startsWith(pattern.slice(0, -1)) && type.length >= pattern.length
      : type === pattern;
  });
}
