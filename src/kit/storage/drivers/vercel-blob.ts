import { type BlobDriver, type ByteRange, type Chunk, calling, checkedKey } from "./driver";
import { type PartsUpload, sendInParts } from "./parts";
import { vercelBlobDirect } from "./vercel-blob-direct";

const access = "private";

/** Blobs in a private store of Vercel Blob. The SDK finds the credentials in the environment. */
export function vercelBlobDriver(): BlobDriver {
  // Its default of 10, each waiting twice as long, keeps an upload to a broken store for a quarter of an hour.
  process.env.VERCEL_BLOB_RETRIES ??= "2";
  let loaded: Promise<typeof import("@vercel/blob")> | undefined;
  const load = () => {
    loaded ??= import("@vercel/blob");
    return loaded;
  };

  async function startParts(key: string, contentType?: string): Promise<PartsUpload> {
    const sdk = await load();
    const target = await calling("start an upload", () => sdk.createMultipartUpload(key, { access, contentType }));
    const parts: { partNumber: number; etag: string }[] = [];
    return {
      async putPart(partNumber, bytes) {
        const put = () => sdk.uploadPart(key, bytes, { access, partNumber, ...target });
        parts[partNumber - 1] = await calling(`take part ${partNumber} of an upload`, put);
      },
      async complete() {
        await calling("complete an upload", () => sdk.completeMultipartUpload(key, parts, { access, ...target }));
      },
    };
  }

  async function find(key: string) {
    const sdk = await load();
    return calling("look for a blob", () => sdk.head(key).catch(nullWhenMissing(sdk)));
  }

  async function remove(key: string): Promise<void> {
    const sdk = await load();
    // The store has no way to abort an upload in parts: it forgets those by itself.
    await calling("delete a blob", () => sdk.del(checkedKey(key)).catch(nullWhenMissing(sdk)));
  }

  return {
    async put(key, body, type) {
      const contentType = type ?? undefined;
      checkedKey(key);
      const sdk = await load();
      const putWhole = async (bytes: Buffer) => {
        // The key is ours and fresh: overwriting lets the SDK repeat a request whose answer was lost.
        const put = () => sdk.put(key, bytes, { access, contentType, allowOverwrite: true });
        await calling("write a blob", put);
      };
      try {
        await sendInParts(body, { putWhole, startParts: () => startParts(key, contentType) });
      } catch (error) {
        // The store may have taken what it said it did not. If it cannot be removed now, the caller has the key listed.
        await remove(key).catch((failure) => console.error(`Could not remove blob ${key}:`, failure));
        throw error;
      }
    },

    async get(key, range) {
      const sdk = await load();
      const headers = { "accept-encoding": "identity", ...(range && { range: `bytes=${range.start}-${range.end}` }) };
      const found = await calling("read a blob", () => sdk.get(checkedKey(key), { access, headers }));
      if (!found) return null;
      if (!found.stream) throw new Error(`The blob store answered without the bytes of ${key}`);
      if (range) checkLength(key, range, found.headers.get("content-length"));
      return found.stream as ReadableStream<Chunk>;
    },

    async head(key) {
      const found = await find(checkedKey(key));
      return found && { size: found.size };
    },

    delete: remove,

    async check() {
      await find("health");
    },

    direct: vercelBlobDirect(load, find),

    async signUrl(pathname, { disposition }, expires) {
      // The store serves a blob with the type it was put with, and inline.
      if (disposition !== "inline") return null;
      const sdk = await load();
      const limits = { pathname: checkedKey(pathname), validUntil: expires.getTime() };
      const token = await calling("sign a URL", () => sdk.issueSignedToken({ ...limits, operations: ["get"] }));
      const { presignedUrl } = await sdk.presignUrl(token, { ...limits, operation: "get", access });
      return presignedUrl;
    },
  };
}

function nullWhenMissing({ BlobNotFoundError }: typeof import("@vercel/blob")) {
  return (error: unknown): null => {
    if (error instanceof BlobNotFoundError) return null;
    throw error;
  };
}

/** A store that ignores the range answers with the whole blob. */
function checkLength(key: string, { start, end }: ByteRange, length: string | null): void {
  if (length !== String(end - start + 1)) {
    throw new Error(`The blob store answered bytes ${start}-${end} of ${key} with ${length} bytes`);
  }
}
