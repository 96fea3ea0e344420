import { TRPCError } from "@trpc/server";
import type { Chunk } from "./drivers/driver";
import { receiveFile } from "./receive";
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
  owner?: string,
): Promise<string> {
  const storageId = newStorageId();
  const isBlob = body instanceof Blob;
  try {
    await receiveFile({
      storageId,
      body: (isBlob ? body.stream() : body) as ReadableStream<Chunk>,
      contentType: options.contentType || (isBlob && body.type) || null,
      sha256: options.sha256 === undefined ? [] : [parseSha256(options.sha256)],
      owner,
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

/** `ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=` or `BA7816BF…` → lower-case hex. */
function parseSha256(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === 32 && bytes.toString("base64") === text) return bytes.toString("hex");
  const message = `Cannot parse sha256 ${JSON.stringify(text)}: it is 64 hex digits, or base64 of 32 bytes`;
  throw new TRPCError({ code: "BAD_REQUEST", message });
}
