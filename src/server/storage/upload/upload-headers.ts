import { UploadError } from "./upload-error";

/** `image/png; charset=x`: visible ASCII in the form of a media type, short enough for a header. */
const mediaType = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;[\x20-\x7e]*)?$/;

/** The type to store: `null` when the header is absent or empty. */
export function parseContentType(headers: Headers): string | null {
  const value = headers.get("content-type")?.trim();
  if (!value) return null;
  if (mediaType.test(value) && value.length <= 255) return value;
  throw badHeader("Content-Type", value, 'write a media type, as "image/png"');
}

/** The announced size in bytes, or `undefined`. */
export function parseContentLength(headers: Headers): number | undefined {
  const value = headers.get("content-length");
  if (value === null) return undefined;
  const size = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(size)) return size;
  throw badHeader("Content-Length", value, "write the number of bytes");
}

/**
 * Every SHA-256 that the headers announce for the body, as lower-case hex:
 *
 *     Digest: sha-256=<base64>             (RFC 3230)
 *     Content-Digest: sha-256=:<base64>:   (RFC 9530; Repr-Digest too)
 *
 * Other algorithms are ignored; a sha-256 that cannot be parsed throws, as it must not pass for a verified one.
 */
export function parseDigests(headers: Headers): string[] {
  const structured = /^:([\w+/]{43}=):$/;
  return [
    ...parseDigest(headers, "Digest", /^([\w+/]{43}=)$/),
    ...parseDigest(headers, "Content-Digest", structured),
    ...parseDigest(headers, "Repr-Digest", structured),
  ];
}

function parseDigest(headers: Headers, name: string, form: RegExp): string[] {
  const value = headers.get(name);
  if (value === null) return [];
  return value.split(",").flatMap((member) => {
    const [algorithm = "", ...rest] = member.split("=");
    if (rest.length === 0) throw badHeader(name, value, "write algorithm=value");
    if (algorithm.trim().toLowerCase() !== "sha-256") return [];
    const [, base64 = ""] = form.exec(rest.join("=").trim()) ?? [];
    const bytes = Buffer.from(base64, "base64");
    if (bytes.length !== 32 || bytes.toString("base64") !== base64) {
      throw badHeader(name, value, "write the 32 bytes of the SHA-256 as base64");
    }
    return [bytes.toString("hex")];
  });
}

function badHeader(name: string, value: string, advice: string): UploadError {
  return new UploadError("BadHeader", `Cannot parse ${name} ${JSON.stringify(value)}: ${advice}`);
}
