import { quote } from "../../log/text";
import { canonicalType } from "../content-type";
import { sha256OfBase64 } from "../sha256";
import { UploadError } from "./upload-error";

/** The type to store: `null` when the header is absent or empty. */
export function parseContentType(headers: Headers): string | null {
  const value = headers.get("content-type");
  if (!value) return null;
  const type = canonicalType(value);
  if (type !== null) return type;
  throw badHeader("Content-Type", value, 'write a media type, for example "image/png"');
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
 * Other algorithms are ignored; what cannot be parsed throws, as it must not pass for a verified digest.
 */
export function parseDigests(headers: Headers): string[] {
  const structured = /^:([^:]*):$/;
  return [
    ...parseDigest(headers, "Digest", /^(.*)$/),
    ...parseDigest(headers, "Content-Digest", structured),
    ...parseDigest(headers, "Repr-Digest", structured),
  ];
}

function parseDigest(headers: Headers, name: string, form: RegExp): string[] {
  const value = headers.get(name);
  if (value === null) return [];
  const members = value.split(",").filter((member) => member.trim() !== "");
  if (members.length === 0) throw badHeader(name, value, "write algorithm=value");
  return members.flatMap((member) => {
    const [, algorithm, encoded = ""] = /^\s*([\w!#$%&'*+.^|~`-]+)\s*=\s*(\S+)\s*$/.exec(member) ?? [];
    if (!algorithm) throw badHeader(name, value, "write algorithm=value");
    if (algorithm.toLowerCase() !== "sha-256") return [];
    const [, base64 = ""] = form.exec(encoded) ?? [];
    const hex = sha256OfBase64(base64);
    if (hex === null) throw badHeader(name, value, "write the 32 bytes of the SHA-256 as base64");
    return [hex];
  });
}

function badHeader(name: string, value: string, advice: string): UploadError {
  return new UploadError("BadHeader", `Cannot parse ${name} ${quote(value)}: ${advice}`);
}
