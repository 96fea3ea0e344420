import { z } from "zod";
import { parseArgs } from "../functions/args";
import { isSignedBy, sign } from "./signature";

export interface FileUrlOptions {
  /** Milliseconds the URL works at least. Without it, it works until the file is deleted. */
  expiresIn?: number;
  /** The browser saves the file by this name instead of showing it; at most 255 characters. */
  downloadAs?: string;
}

/** What a file URL allows; all of it is signed. */
export interface FilePermit {
  storageId: string;
  /** Seconds since the epoch. */
  expires?: number;
  download?: string;
}

const optionsSchema = z.object({
  expiresIn: z.number().positive().max(1e14).optional(),
  downloadAs: z.string().max(255).optional(),
});

/**
 * `/api/storage/<storage id>/<signature>?expires=…&download=…`; the same string for the same permit.
 * @throws TRPCError `BAD_REQUEST`
 */
export function createFileUrl(origin: string, storageId: string, options: FileUrlOptions = {}): string {
  const { expiresIn, downloadAs } = parseArgs(optionsSchema, options);
  const query = new URLSearchParams();
  if (expiresIn !== undefined) query.set("expires", String(roundedExpiry(expiresIn)));
  if (downloadAs !== undefined) query.set("download", downloadAs);
  const suffix = query.size > 0 ? `?${query}` : "";
  return `${origin}/api/storage/${storageId}/${sign("file-url", signedText(storageId, query))}${suffix}`;
}

const pathPattern = /^\/api\/storage\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/([\w-]{43})$/;

/** Reads a file URL: `"malformed"` when it has not the form of one, `"forged"` when we did not sign it. */
export function readFileUrl({ pathname, searchParams }: URL): FilePermit | "malformed" | "forged" {
  const [, storageId, signature] = pathPattern.exec(pathname) ?? [];
  const expires = searchParams.get("expires");
  if (!storageId || !signature || (expires !== null && !/^\d{1,12}$/.test(expires))) return "malformed";
  if (!isSignedBy(signature, "file-url", signedText(storageId, searchParams))) return "forged";
  return {
    storageId,
    expires: expires === null ? undefined : Number(expires),
    download: searchParams.get("download") ?? undefined,
  };
}

/** Of the parameters as they are spelt, each as often as it is there. */
const signedText = (storageId: string, query: URLSearchParams) =>
  JSON.stringify([storageId, query.getAll("expires"), query.getAll("download")]);

/**
 * Rounded up to a quarter of the lifetime, so that a list fetched again has the same URLs and reloads no image. At most
 * a quarter longer than asked.
 */
function roundedExpiry(expiresIn: number): number {
  const step = Math.max(1, Math.floor(expiresIn / 4000));
  return Math.ceil((Date.now() + expiresIn) / 1000 / step) * step;
}
