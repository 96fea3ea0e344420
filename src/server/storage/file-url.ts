import { isSignedBy, sign } from "./signature";

export interface FileUrlOptions {
  /** Milliseconds the URL works at least. Without it, it works until the file is deleted. */
  expiresIn?: number;
  /** The browser saves the file by this name instead of showing it. */
  downloadAs?: string;
}

/** What a file URL allows; all of it is signed. */
export interface FilePermit {
  storageId: string;
  /** Seconds since the epoch. */
  expires?: number;
  download?: string;
}

/** `/api/storage/<storage id>/<signature>?expires=…&download=…`; the same string for the same permit. */
export function createFileUrl(origin: string, storageId: string, options: FileUrlOptions = {}): string {
  const permit: FilePermit = {
    storageId,
    expires: options.expiresIn === undefined ? undefined : roundedExpiry(options.expiresIn),
    download: options.downloadAs,
  };
  const query = new URLSearchParams();
  if (permit.expires !== undefined) query.set("expires", String(permit.expires));
  if (permit.download !== undefined) query.set("download", permit.download);
  const suffix = query.size > 0 ? `?${query}` : "";
  return `${origin}/api/storage/${storageId}/${sign("file-url", signedText(permit))}${suffix}`;
}

const pathPattern = /\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/([\w-]{43})$/;

/** Reads a file URL: `"malformed"` when it has not the form of one, `"forged"` when we did not sign it. */
export function readFileUrl(url: URL): FilePermit | "malformed" | "forged" {
  const [, storageId, signature] = pathPattern.exec(url.pathname) ?? [];
  const expires = url.searchParams.get("expires") ?? undefined;
  if (!storageId || !signature || (expires && !/^\d{1,12}$/.test(expires))) return "malformed";
  const permit: FilePermit = {
    storageId,
    expires: expires === undefined ? undefined : Number(expires),
    download: url.searchParams.get("download") ?? undefined,
  };
  return isSignedBy(signature, "file-url", signedText(permit)) ? permit : "forged";
}

const signedText = ({ storageId, expires, download }: FilePermit) => JSON.stringify([storageId, expires, download]);

/**
 * Rounded up to a quarter of the lifetime, so that a list fetched again has the same URLs and reloads no image. At most
 * a quarter longer than asked.
 */
function roundedExpiry(expiresIn: number): number {
  const step = Math.max(1, Math.floor(expiresIn / 4000));
  return Math.ceil((Date.now() + expiresIn) / 1000 / step) * step;
}
