/**
 * The base64 of a SHA-256 → lower-case hex; `null` for anything else. There is one spelling only: Buffer skips what is
 * not base64, and has no opinion on padding.
 */
export function sha256OfBase64(base64: string): string | null {
  const bytes = Buffer.from(base64, "base64");
  return bytes.length === 32 && bytes.toString("base64") === base64 ? bytes.toString("hex") : null;
}
