import { isSignedBy, sign } from "../signature";
import type { UploadPermit } from "../upload-url";

/** What a direct upload was started with. The client keeps it, signed, until it completes the upload. */
export interface Receipt {
  permit: UploadPermit;
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

export function signReceipt(receipt: Receipt): string {
  const payload = Buffer.from(JSON.stringify(receipt)).toString("base64url");
  return `${payload}.${sign("direct-upload", payload)}`;
}

/** The receipt in a text, expired or not; `null` when we did not sign it. */
export function readReceipt(text: string): Receipt | null {
  const [payload = "", signature = "", ...rest] = text.split(".");
  if (rest.length > 0 || !isSignedBy(signature, "direct-upload", payload)) return null;
  return JSON.parse(Buffer.from(payload, "base64url").toString()) as Receipt;
}
