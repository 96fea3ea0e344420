import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { env } from "../process/env";

/** Signatures of one purpose are worthless for the others. */
type Purpose = "file-url" | "upload-url" | "direct-upload";

/** HMAC-SHA-256 of `text` as 43 base64url characters, by the first of `APP_SECRET`. */
export function sign(purpose: Purpose, text: string): string {
  const [current = ""] = env.APP_SECRET;
  return hmac(key(current, purpose), text);
}

/** Whether any of `APP_SECRET` signed `text`, found out in constant time. */
export function isSignedBy(signature: string, purpose: Purpose, text: string): boolean {
  // The texts are compared, not the bytes they decode to: base64url has several spellings of the same bytes.
  const given = Buffer.from(signature);
  return env.APP_SECRET.map((secret) => Buffer.from(hmac(key(secret, purpose), text)))
    .map((expected) => expected.length === given.length && timingSafeEqual(expected, given))
    .includes(true);
}

const hmac = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest("base64url");

const keys = new Map<string, Buffer>();

function key(secret: string, purpose: Purpose): Buffer {
  const name = `${purpose} ${secret}`;
  const key = keys.get(name) ?? Buffer.from(hkdfSync("sha256", secret, "", purpose, 32));
  keys.set(name, key);
  return key;
}
