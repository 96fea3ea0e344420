import type { Socket } from "node:net";
import type { S3Client } from "@aws-sdk/client-s3";
import {
  type BegunParts,
  type BlobDriver,
  type ByteRange,
  type Chunk,
  calling,
  checkedKey,
  type DirectFile,
  type DirectUpload,
  type DirectUploads,
  isKey,
  type PartRequest,
} from "./driver";
import { appendParts, type PartsUpload, sendInParts, sizesOfParts } from "./parts";
import { defaultStallTimeoutMs, nullWhen, s3Client } from "./s3-client";

interface S3Options {
  bucket: string;
  region: string;
  /** For a store that is not Amazon's. */
  endpoint?: string;
  /** How long a request may go without a byte in either direction. Default: one minute. */
  stallTimeoutMs?: number;
  /** Bytes of a part of an upload that arrives in several requests. Default: 5 MiB. Amazon takes no smaller ones. */
  appendedPartBytes?: number;
}

/** Keeps blobs as objects in a bucket of Amazon S3, or of a store with the same protocol. */
export function s3Driver(options: S3Options): BlobDriver {
  const Bucket = options.bucket;
  const connect = s3Client(options);

  async function openParts(Key: string, contentType: string | null, begun?: BegunParts): Promise<PartsUpload> {
    const { sdk, client } = await connect();
    const start = new sdk.CreateMultipartUploadCommand({ Bucket, Key, ContentType: contentType ?? undefined });
    const uploadId = begun?.uploadId ?? (await calling("start an upload", () => client.send(start))).UploadId ?? "";
    const tags = [...(begun?.tags ?? [])];
    return {
      uploadId,
      tags,
      async putPart(PartNumber, Body) {
        const part = new sdk.UploadPartCommand({ Bucket, Key, UploadId: uploadId, PartNumber, Body });
        const { ETag } = await calling(`take part ${PartNumber} of an upload`, () => client.send(part));
        tags[PartNumber - 1] = ETag ?? "";
      },
      async complete() {
        const Parts = tags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
        const input = { Bucket, Key, UploadId: uploadId, MultipartUpload: { Parts } };
        await calling("complete an upload", () => client.send(new sdk.CompleteMultipartUploadCommand(input)));
      },
    };
  }

  async function check(): Promise<void> {
    const { sdk, client } = await connect();
    await calling(`open bucket ${Bucket}`, () => client.send(new sdk.HeadBucketCommand({ Bucket })));
  }

  async function remove(key: string): Promise<void> {
    const Key = checkedKey(key);
    const { sdk, client } = await connect();
    // Uploads first: an upload that completes before it is aborted becomes an object, which is deleted next.
    await calling("abort an upload", () => abortUploads(sdk, client, { Bucket, Key }));
    await calling("delete a blob", () => client.send(new sdk.DeleteObjectCommand({ Bucket, Key })));
  }

  async function head(key: string) {
    const Key = checkedKey(key);
    const { sdk, client } = await connect();
    const head = new sdk.HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" });
    const found = await calling("look for a blob", () => client.send(head).catch(nullWhen("NotFound")));
    // The answer to HEAD has no body that would tell a missing object from a missing bucket.
    if (!found) await check();
    const sha256 = found?.ChecksumType === "FULL_OBJECT" ? found.ChecksumSHA256 : undefined;
    return (
      found && {
        size: found.ContentLength ?? 0,
        ...(sha256 && { sha256: Buffer.from(sha256, "base64").toString("hex") }),
      }
    );
  }

  const store: Pick<BlobDriver, "put" | "get" | "head"> = {
    async put(key, body, contentType, size) {
      const Key = checkedKey(key);
      const ContentType = contentType ?? undefined;
      const { sdk, client } = await connect();
      const putWhole = async (Body: Buffer) => {
        await calling("write a blob", () => client.send(new sdk.PutObjectCommand({ Bucket, Key, Body, ContentType })));
      };
      try {
        await sendInParts(body, { putWhole, startParts: () => openParts(Key, contentType ?? null) }, size);
      } catch (error) {
        // The store may have the bytes although the call failed. If the blob cannot be deleted now, its key is still listed.
        await remove(Key).catch((failure) => console.error(`Could not remove blob ${Key}:`, failure));
        throw error;
      }
    },

    async get(key, range) {
      const Key = checkedKey(key);
      const { sdk, client } = await connect();
      const read = new sdk.GetObjectCommand({ Bucket, Key, Range: range && `bytes=${range.start}-${range.end}` });
      const found = await calling("read a blob", () => client.send(read).catch(nullWhen("NoSuchKey")));
      if (!found) return null;
      if (!found.Body) throw new Error(`The blob store answered without the bytes of ${Key}`);
      if (range) checkLength(Key, range, found.ContentLength);
      return toStream(found.Body as AsyncIterable<Chunk> & { socket?: Socket | null }, options.stallTimeoutMs);
    },

    head,
  };
  const appends = appendParts({ ...store, openParts, partBytes: options.appendedPartBytes });

  return {
    ...store,
    append: {
      ...appends,
      async complete(key, file, progress) {
        await appends.complete(key, file, progress);
        // A process that died may have started the upload more than once.
        const { sdk, client } = await connect();
        await calling("abort an upload", () => abortUploads(sdk, client, { Bucket, Key: key }));
      },
    },
    delete: remove,
    async *list() {
      const { sdk, client } = await connect();
      let ContinuationToken: string | undefined;
      do {
        const page = new sdk.ListObjectsV2Command({ Bucket, ContinuationToken });
        const { Contents = [], NextContinuationToken } = await calling("list blobs", () => client.send(page));
        for (const { Key = "", Size = 0 } of Contents) if (isKey(Key)) yield { key: Key, size: Size };
        ContinuationToken = NextContinuationToken;
      } while (ContinuationToken !== undefined);
    },
    check,
    direct: s3Direct(Bucket, connect, head),

    async signUrl(key, { contentType, disposition, cacheControl }, expires) {
      const { sdk, client } = await connect();
      const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
      const read = new sdk.GetObjectCommand({
        Bucket,
        Key: checkedKey(key),
        ResponseContentType: contentType ?? "application/octet-stream",
        ResponseContentDisposition: disposition,
        ResponseCacheControl: cacheControl,
      });
      return getSignedUrl(client, read, { expiresIn: secondsUntil(expires) });
    },
  };
}

/** Aborts what was started for the key and never completed: its parts cost money, and no reader sees them. */
async function abortUploads(
  sdk: typeof import("@aws-sdk/client-s3"),
  client: S3Client,
  { Bucket, Key }: { Bucket: string; Key: string },
): Promise<void> {
  const { Uploads = [] } = await client.send(new sdk.ListMultipartUploadsCommand({ Bucket, Prefix: Key }));
  for (const { UploadId } of Uploads) {
    const abort = new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId });
    await client.send(abort).catch(nullWhen("NoSuchUpload"));
  }
}

/** A store that does not support ranges answers with the whole object. */
function checkLength(key: string, { start, end }: ByteRange, length: number | undefined): void {
  if (length !== end - start + 1) {
    throw new Error(`The blob store answered bytes ${start}-${end} of ${key} with ${length} bytes`);
  }
}

/**
 * Limits how long the store takes for each chunk. The reader may take any time, so the timeout of the socket is turned off.
 * `Readable.toWeb` is not used because it throws outside of any promise when the reader cancels.
 */
function toStream(
  body: AsyncIterable<Chunk> & { socket?: Socket | null },
  stallTimeoutMs = defaultStallTimeoutMs,
): ReadableStream<Chunk> {
  body.socket?.setTimeout(0);
  const chunks = body[Symbol.asyncIterator]();
  const next = async () => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        body.socket?.destroy();
        reject(new Error(`The blob store sent nothing for ${stallTimeoutMs / 1000} s`));
      }, stallTimeoutMs);
    });
    return Promise.race([chunks.next(), late]).finally(() => clearTimeout(timer));
  };
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/** The largest file that S3 takes in a single PUT. */
const maxPutBytes = 5 * 1024 ** 3;

/**
 * A file of known SHA-256 is sent with one PUT whose signature covers the SHA-256, if the store verifies it: then no other bytes
 * can be written. All other files are sent in parts, whose URLs stop working when the upload is completed.
 */
function s3Direct(
  Bucket: string,
  connect: ReturnType<typeof s3Client>,
  head: (key: string) => Promise<{ size: number; sha256?: string } | null>,
): DirectUploads {
  const verifiesPuts = s3Checksum(Bucket, connect);

  async function signPut(Key: string, { size, contentType, sha256 }: DirectFile, expires: Date): Promise<PartRequest> {
    const { sdk, client } = await connect();
    const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
    // The SDK signs a type in any case, so a file without one needs one here. It is served with its own.
    const ContentType = contentType ?? "application/octet-stream";
    const headers = {
      "x-amz-checksum-sha256": Buffer.from(sha256 ?? "", "hex").toString("base64"),
      "content-type": ContentType,
    };
    const command = new sdk.PutObjectCommand({
      Bucket,
      Key,
      ContentLength: size,
      ChecksumSHA256: headers["x-amz-checksum-sha256"],
      ContentType,
    });
    const url = await getSignedUrl(client, command, {
      expiresIn: secondsUntil(expires),
      signableHeaders: new Set(["content-type"]),
      // By default the SDK moves it into the query, where the store might not verify it.
      unhoistableHeaders: new Set(["x-amz-checksum-sha256"]),
    });
    return { method: "PUT", url, headers, size };
  }

  async function signPart(Key: string, upload: DirectUpload, PartNumber: number, expires: Date): Promise<PartRequest> {
    const { sdk, client } = await connect();
    const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
    const size = sizesOfParts(upload)[PartNumber - 1] ?? 0;
    const { uploadId: UploadId } = upload;
    const part = new sdk.UploadPartCommand({ Bucket, Key, UploadId, PartNumber, ContentLength: size });
    const url = await getSignedUrl(client, part, { expiresIn: secondsUntil(expires) });
    return { method: "PUT", url, headers: {}, size };
  }

  /** All parts that the store has of the upload; `null` when the upload is over. */
  async function listParts(Key: string, UploadId: string) {
    const { sdk, client } = await connect();
    const parts: { PartNumber?: number; ETag?: string; size: number }[] = [];
    let PartNumberMarker: string | undefined;
    do {
      const list = new sdk.ListPartsCommand({ Bucket, Key, UploadId, PartNumberMarker });
      const page = await calling("list the parts of an upload", () =>
        // Ceph answers NoSuchKey where others answer NoSuchUpload.
        client.send(list).catch(nullWhen("NoSuchUpload", "NoSuchKey")),
      );
      if (!page) return null;
      for (const { PartNumber, ETag, Size = 0 } of page.Parts ?? []) parts.push({ PartNumber, ETag, size: Size });
      PartNumberMarker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
    } while (PartNumberMarker);
    return parts;
  }

  /** The numbers of parts that the store does not have, or has in another size. */
  function missingIn(upload: DirectUpload, sent: { PartNumber?: number; size: number }[]): number[] {
    const sizes = new Map(sent.map(({ PartNumber, size }) => [PartNumber, size]));
    return sizesOfParts(upload).flatMap((size, index) => (sizes.get(index + 1) === size ? [] : [index + 1]));
  }

  return {
    async begin(Key, { size, contentType, sha256 }) {
      if (sha256 !== undefined && size <= maxPutBytes && (await verifiesPuts())) return undefined;
      const { sdk, client } = await connect();
      const create = new sdk.CreateMultipartUploadCommand({ Bucket, Key, ContentType: contentType ?? undefined });
      return (await calling("start an upload", () => client.send(create))).UploadId;
    },

    async sign(key, upload, numbers, expires) {
      if (upload.uploadId === undefined) return [await signPut(key, upload, expires)];
      return Promise.all(numbers.map((number) => signPart(key, upload, number, expires)));
    },

    async sent(key, upload) {
      if (upload.uploadId === undefined) return [];
      const parts = (await listParts(key, upload.uploadId)) ?? [];
      const missing = new Set(missingIn(upload, parts));
      return parts.flatMap(({ PartNumber = 0 }) => (missing.has(PartNumber) ? [] : [PartNumber]));
    },

    async complete(Key, upload) {
      const { uploadId: UploadId } = upload;
      const parts = UploadId === undefined ? null : await listParts(Key, UploadId);
      if (parts) {
        const missing = missingIn(upload, parts);
        if (missing.length > 0) return { missing };
        const { sdk, client } = await connect();
        const Parts = parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }));
        const complete = new sdk.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } });
        // Without such an upload, another request has completed it in the meantime.
        await calling("complete an upload", () => client.send(complete).catch(nullWhen("NoSuchUpload")));
      }
      return (await head(Key)) ?? { missing: sizesOfParts(upload).map((_, index) => index + 1) };
    },
  };
}

const secondsUntil = (time: Date) => Math.ceil((time.getTime() - Date.now()) / 1000);

/** A SHA-256 that an empty body does not have. */
const wrongSha256 = Buffer.alloc(32).toString("base64");

/**
 * Finds out once whether the store refuses a PUT whose bytes do not have the announced SHA-256, by sending such a PUT. Not every
 * store with this protocol refuses it: Ceph 16 does not.
 */
function s3Checksum(Bucket: string, connect: ReturnType<typeof s3Client>): () => Promise<boolean> {
  let verifies: boolean | undefined;
  return async () => {
    if (verifies !== undefined) return verifies;
    const { sdk, client } = await connect();
    const Key = "checksum-probe";
    const put = new sdk.PutObjectCommand({ Bucket, Key, Body: "", ChecksumSHA256: wrongSha256 });
    verifies = await calling("say whether it verifies checksums", async () => {
      const taken = await client.send(put).catch(nullWhen("BadDigest", "XAmzContentChecksumMismatch"));
      if (taken) await client.send(new sdk.DeleteObjectCommand({ Bucket, Key }));
      return taken === null;
    });
    return verifies;
  };
}
