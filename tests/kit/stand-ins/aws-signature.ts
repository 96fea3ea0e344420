import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

export const accessKeyId = "a-key-id-of-the-tests";
export const secretAccessKey = "a secret key of the tests";

/**
 * Why a request is not signed as Signature Version 4 asks, in its headers or in its query; `null` when it is. Written
 * from Amazon's description, so that what we sign is checked by something other than what signed it.
 */
export function refuseSignature(request: IncomingMessage, url: URL): string | null {
  const isPresigned = url.searchParams.has("X-Amz-Signature");
  const claims = isPresigned ? fromQuery(url) : fromHeader(request);
  if (!claims) return "AccessDenied";
  const [keyId, date, region, service, ending] = claims.credential.split("/");
  if (keyId !== accessKeyId) return "InvalidAccessKeyId";
  const started = Date.parse(claims.time.replace(/(....)(..)(..)T(..)(..)(..)Z/, "$1-$2-$3T$4:$5:$6Z"));
  if (Date.now() > started + claims.lifetime) return "AccessDenied";
  const signed = claims.headers.split(";");
  if (!signed.includes("host")) return "AccessDenied";

  const query = [...url.searchParams]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join("&");
  const headers = signed.map((name) => `${name}:${String(request.headers[name] ?? "").trim()}\n`).join("");
  const payload = isPresigned ? "UNSIGNED-PAYLOAD" : String(request.headers["x-amz-content-sha256"]);
  const canonical = [request.method, url.pathname, query, headers, claims.headers, payload].join("\n");
  const scope = [date, region, service, ending].join("/");
  const text = ["AWS4-HMAC-SHA256", claims.time, scope, createHash("sha256").update(canonical).digest("hex")].join(
    "\n",
  );
  const key = [date, region, service, ending].reduce<Buffer>(
    (key, part) => hmac(key, part ?? ""),
    Buffer.from(`AWS4${secretAccessKey}`),
  );
  const expected = hmac(key, text);
  const given = Buffer.from(claims.signature, "hex");
  return given.length === expected.length && timingSafeEqual(given, expected) ? null : "SignatureDoesNotMatch";
}

function fromQuery({ searchParams }: URL) {
  const get = (name: string) => searchParams.get(`X-Amz-${name}`) ?? "";
  return {
    credential: get("Credential"),
    headers: get("SignedHeaders"),
    signature: get("Signature"),
    time: get("Date"),
    lifetime: Number(get("Expires")) * 1000,
  };
}

function fromHeader({ headers }: IncomingMessage) {
  const form = /^AWS4-HMAC-SHA256 Credential=(.+?), ?SignedHeaders=(.+?), ?Signature=(.+)$/;
  const [, credential, signedHeaders, signature] = form.exec(headers.authorization ?? "") ?? [];
  if (!credential || !signedHeaders || !signature) return null;
  const time = String(headers["x-amz-date"]);
  return { credential, headers: signedHeaders, signature, time, lifetime: 15 * 60 * 1000 };
}

const hmac = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest();

const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
