import { z } from "zod";
import {
  type BegunParts,
  type BlobDriver,
  type ByteRange,
  type Chunk,
  calling,
  checkedKey,
  type DirectUploads,
  isKey,
} from "./driver";
import { appendParts, type PartsUpload, partSize, sendInParts, sizesOfParts } from "./parts";

const access = "private";

/**
 * Keeps blobs in a private store of Vercel Blob. The SDK finds the credentials in the environment.
 * @param options.appendedPartBytes bytes of a part of an upload that arrives in several requests; default: 5 MiB
 */
export function vercelBlobDriver(options: { appendedPartBytes?: number } = {}): BlobDriver {
  // With the default of 10 retries and their backoff, an upload to a broken store would take a quarter of an hour to fail.
  process.env.VERCEL_BLOB_RETRIES ??= "2";
  let loaded: Promise<typeof import("@vercel/blob")> | undefined;
  const load = () => {
    loaded ??= import("@vercel/blob");
    return loaded;
  };

  async function openParts(key: string, contentType: string | null, begun?: BegunParts): Promise<PartsUpload> {
    const sdk = await load();
    const options = { access, contentType: contentType ?? undefined } as const;
    const start = () => sdk.createMultipartUpload(key, options);
    const uploadId = begun?.uploadId ?? (await calling("start an upload", start)).uploadId;
    // The store also names the upload by a key. It is the same key, because no random suffix is added to it.
    const target = { access, uploadId, key } as const;
    const tags = [...(begun?.tags ?? [])];
    return {
      uploadId,
      tags,
      async putPart(partNumber, bytes) {
        const put = () => sdk.uploadPart(key, bytes, { partNumber, ...target });
        tags[partNumber - 1] = (await calling(`take part ${partNumber} of an upload`, put)).etag;
      },
      async complete() {
        const parts = tags.map((etag, index) => ({ etag, partNumber: index + 1 }));
        await calling("complete an upload", () => sdk.completeMultipartUpload(key, parts, target));
      },
    };
  }

  async function find(key: string) {
    const sdk = await load();
    return calling("look for a blob", () => sdk.head(key).catch(nullWhenMissing(sdk)));
  }

  async function remove(key: string): Promise<void> {
    const sdk = await load();
    // The store has no call to abort an upload in parts. It deletes unfinished ones itself.
    await calling("delete a blob", () => sdk.del(checkedKey(key)).catch(nullWhenMissing(sdk)));
  }

  const store: Pick<BlobDriver, "put" | "get" | "head"> = {
    async put(key, body, type) {
      const contentType = type ?? undefined;
      checkedKey(key);
      const sdk = await load();
      const putWhole = async (bytes: Buffer) => {
        // The key is new. Overwriting lets the SDK repeat a request whose answer was lost.
        const put = () => sdk.put(key, bytes, { access, contentType, allowOverwrite: true });
        await calling("write a blob", put);
      };
      try {
        await sendInParts(body, { putWhole, startParts: () => openParts(key, type ?? null) });
      } catch (error) {
        // The store may have the bytes although the call failed. If the blob cannot be deleted now, its key is still listed.
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
  };

  return {
    ...store,
    append: appendParts({ ...store, openParts, partBytes: options.appendedPartBytes }),
    delete: remove,

    async *list() {
      const sdk = await load();
      let cursor: string | undefined;
      do {
        const page = await calling("list blobs", () => sdk.list({ cursor, limit: 1000 }));
        for (const { pathname, size } of page.blobs) if (isKey(pathname)) yield { key: pathname, size };
        cursor = page.cursor;
      } while (cursor !== undefined);
    },

    async check() {
      await find("health");
    },

    direct: vercelBlobDirect(load, find),

    async signUrl(pathname, { disposition }, expires) {
      // The store serves a blob with the type of its upload, inline or as a download under the blob's own name.
      if (disposition !== "inline" && disposition !== "attachment") return null;
      const sdk = await load();
      const limits = { pathname: checkedKey(pathname), validUntil: expires.getTime() };
      const token = await calling("sign a URL", () => sdk.issueSignedToken({ ...limits, operations: ["get"] }));
      const { presignedUrl } = await sdk.presignUrl(token, { ...limits, operation: "get", access });
      return disposition === "inline" ? presignedUrl : sdk.getDownloadUrl(presignedUrl);
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

type Sdk = typeof import("@vercel/blob");

const partAnswer = z.object({ etag: z.string() });

/** The entity tag in the store's answer to a part; `null` if the text is not such an answer. */
function readEtag(answer: string): string | null {
  try {
    return partAnswer.parse(JSON.parse(answer)).etag;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null;
    throw error;
  }
}

/** Lets the client send bytes to Vercel Blob with a signed URL, which writes one blob with this key and never overwrites it. */
function vercelBlobDirect(
  load: () => Promise<Sdk>,
  find: (key: string) => Promise<{ size: number; contentType: string } | null>,
): DirectUploads {
  return {
    async begin(key, { size, contentType }) {
      if (size <= partSize) return undefined;
      const sdk = await load();
      const options = { access, ...(contentType !== null && { contentType }) } as const;
      // The store also names the upload by a key. It is the same key, because no random suffix is added to it.
      return (await calling("start an upload", () => sdk.createMultipartUpload(key, options))).uploadId;
    },

    async sign(key, upload, numbers, expires) {
      const { size, contentType, uploadId } = upload;
      const sdk = await load();
      const limits = { pathname: key, validUntil: expires.getTime(), maximumSizeInBytes: size };
      const token = await calling("sign an upload", () => sdk.issueSignedToken({ ...limits, operations: ["put"] }));
      const signing = { ...limits, operation: "put", allowOverwrite: false, access } as const;
      const { presignedUrl } = await sdk.presignUrl(token, signing);
      const headers = {
        "x-api-version": "12",
        "x-vercel-blob-access": access,
        ...(contentType !== null && { "x-content-type": contentType }),
      };
      if (uploadId === undefined) return [{ method: "PUT", url: presignedUrl, headers, size }];
      const url = new URL(presignedUrl);
      url.pathname = `${url.pathname.replace(/\/$/, "")}/mpu`;
      const named = { "x-mpu-action": "upload", "x-mpu-key": key, "x-mpu-upload-id": uploadId };
      const sizes = sizesOfParts(upload);
      return numbers.map((number) => {
        const part = { ...headers, ...named, "x-mpu-part-number": String(number) };
        return { method: "POST", url: url.href, headers: part, size: sizes[number - 1] ?? 0 };
      });
    },

    async complete(key, direct, answers) {
      const { uploadId } = direct;
      const sdk = await load();
      const found = await find(key);
      if (found) return found;
      const etags = sizesOfParts(direct).map((_, index) => readEtag(answers[index] ?? ""));
      const missing = etags.flatMap((etag, index) => (etag === null || uploadId === undefined ? [index + 1] : []));
      if (missing.length > 0 || uploadId === undefined) return { missing };
      const parts = etags.map((etag, index) => ({ partNumber: index + 1, etag: etag ?? "" }));
      const upload = { access, uploadId, key } as const;
      const complete = () => sdk.completeMultipartUpload(key, parts, upload);
      const failure = await calling("complete an upload", complete).then(
        () => null,
        (error: unknown) => error,
      );
      const made = await find(key);
      // After a failure, another request may have completed the upload in the meantime.
      if (failure && !made) throw failure;
      return made ?? { missing: parts.map(({ partNumber }) => partNumber) };
    },
  };
}
