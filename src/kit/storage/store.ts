import { TRPCError } from "@trpc/server";
import { quote } from "../process/quote";
import { canonicalType } from "./content-type";
import type { Chunk } from "./drivers/driver";
import type { Storer } from "./quota";
import { receiveFile } from "./receive";
import { sha256OfBase64 } from "./sha256";
import { newStorageId } from "./storage-id";
import { UploadError } from "./upload/upload-error";

export interface StoreOptions {
  /** Refuse other bytes: SHA-256 as 64 hex digits, or as base64 of the 32 bytes. */
  sha256?: string;
  /** By default the blob's own `type`. */
  contentType?: string;
}

/** `ctx.storage.store`: see StorageActionWriter. */
export async function storeBlob(
  body: Blob | ReadableStream<Uint8Array>,
  options: StoreOptions = {},
  storer: Storer,
): Promise<string> {
  const storageId = newStorageId();
  const isBlob = body instanceof Blob;
  try {
    await receiveFile({
      storageId,
      contentType: parseContentType(options.contentType || (isBlob && body.type) || null),
      sha256: options.sha256 === undefined ? [] : [parseSha256(options.sha256)],
      body: (isBlob ? body.stream() : body) as ReadableStream<Chunk>,
      ...storer,
      spentUntil: Date.now(),
    });
  } catch (error) {
    if (error instanceof UploadError && error.status < 500) {
      throw new TRPCError({ code: "BAD_REQUEST", message: error.message, cause: error });
    }
    throw error;
  }
  return storageId;
}

function parseContentType(text: string | null): string | null {
  const type = text === null ? null : canonicalType(text);
  if (text === null || type !== null) return type;
  throw badRequest("contentType", text, 'it is a media type, for example "image/png"');
}

/** `ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=` or `BA7816BF…` → lower-case hex. */
function parseSha256(text: string): string {
  const hex = /^[0-9a-f]{64}$/i.test(text) ? text.toLowerCase() : sha256OfBase64(text);
  if (hex === null) throw badRequest("sha256", text, "it is 64 hex digits, or base64 of 32 bytes");
  return hex;
}

function badRequest(name: string, text: string, form: string): TRPCError {
  return new TRPCError({ code: "BAD_REQUEST", message: `Cannot parse ${name} ${quote(text)}: ${form}` });
}
