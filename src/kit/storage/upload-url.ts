import { z } from "zod";
import { parseArgs } from "../functions/args";
import { quote } from "../log/text";
import { essenceOf } from "./content-type";
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
  /** Whose the file will be, as `tokenIdentifier`: who asked for the URL. */
  owner?: string;
}

export interface UploadLimits {
  /** The largest file it takes, in bytes; by default any. */
  maxSize?: number;
  /** The types it takes, as `["image/*", "application/pdf"]`; by default any. */
  contentTypes?: string[];
}

/** Bounded, so that the URL stays shorter than a server's limit for a request's head. */
const limitsSchema = z.object({
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

/**
 * A URL that takes one upload within the next hour.
 * @throws TRPCError `BAD_REQUEST`
 */
export function createUploadUrl(origin: string, limits: UploadLimits = {}, owner?: string): string {
  const permit: UploadPermit = {
    storageId: newStorageId(),
    expiresAt: Date.now() + lifetime,
    ...parseArgs(limitsSchema, limits),
    owner,
  };
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
export function allowsContentType({ contentTypes }: UploadPermit, contentType: string | null): boolean {
  if (!contentTypes) return true;
  const type = essenceOf(contentType);
  return contentTypes.some((allowed) => {
    const [kind, subtype] = allowed.toLowerCase().split("/");
    return subtype === "*" ? type.startsWith(`${kind}/`) : type === `${kind}/${subtype}`;
  });
}
