import type { DirectFile, DirectTarget, DirectUploads } from "./driver";
import { calling } from "./driver";
import { sizesOfParts } from "./parts";
import { s3Checksum } from "./s3-checksum";
import { nullWhen, type s3Client } from "./s3-client";

/** A single PUT ends here; only for a file whose SHA-256 is known is it better than parts. */
const largestPut = 5 * 1024 ** 3;

/**
 * A file of known SHA-256 is sent with one PUT that signs it, if the store verifies it: no other bytes can be written.
 * All others are sent in parts, whose URLs are dead once we have completed the upload.
 */
export function s3Direct(
  Bucket: string,
  connect: ReturnType<typeof s3Client>,
  head: (key: string) => Promise<{ size: number; sha256?: string } | null>,
): DirectUploads {
  const verifiesPuts = s3Checksum(Bucket, connect);

  async function signPut(Key: string, { size, contentType, sha256 }: DirectFile, expires: Date): Promise<DirectTarget> {
    const { sdk, client } = await connect();
    const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
    const headers = {
      "x-amz-checksum-sha256": Buffer.from(sha256 ?? "", "hex").toString("base64"),
      ...(contentType !== null && { "content-type": contentType }),
    };
    const command = new sdk.PutObjectCommand({
      Bucket,
      Key,
      ContentLength: size,
      ChecksumSHA256: headers["x-amz-checksum-sha256"],
      ...(contentType !== null && { ContentType: contentType }),
    });
    const url = await getSignedUrl(client, command, {
      expiresIn: secondsUntil(expires),
      signableHeaders: new Set(["content-type"]),
      // In the query it would be no header, which the store might not verify.
      unhoistableHeaders: new Set(["x-amz-checksum-sha256"]),
    });
    return { parts: [{ method: "PUT", url, headers, size }] };
  }

  async function signParts(Key: string, { size, contentType }: DirectFile, expires: Date): Promise<DirectTarget> {
    const { sdk, client } = await connect();
    const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
    const ContentType = contentType ?? undefined;
    const create = new sdk.CreateMultipartUploadCommand({ Bucket, Key, ContentType });
    const { UploadId } = await calling("start an upload", () => client.send(create));
    const signPart = (ContentLength: number, index: number) => {
      const part = new sdk.UploadPartCommand({ Bucket, Key, UploadId, PartNumber: index + 1, ContentLength });
      return getSignedUrl(client, part, { expiresIn: secondsUntil(expires) });
    };
    const sign = async (size: number, index: number) => {
      return { method: "PUT", url: await signPart(size, index), headers: {}, size };
    };
    return { uploadId: UploadId, parts: await Promise.all(sizesOfParts(size).map(sign)) };
  }

  /** All that the store has of the upload; `null` when the upload is over. */
  async function listParts(Key: string, UploadId: string) {
    const { sdk, client } = await connect();
    const parts: { PartNumber?: number; ETag?: string; size: number }[] = [];
    let PartNumberMarker: string | undefined;
    do {
      const list = new sdk.ListPartsCommand({ Bucket, Key, UploadId, PartNumberMarker });
      const page = await calling("list the parts of an upload", () =>
        // Ceph finds no key where others find no upload.
        client.send(list).catch(nullWhen("NoSuchUpload", "NoSuchKey")),
      );
      if (!page) return null;
      for (const { PartNumber, ETag, Size = 0 } of page.Parts ?? []) parts.push({ PartNumber, ETag, size: Size });
      PartNumberMarker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
    } while (PartNumberMarker);
    return parts;
  }

  return {
    async start(key, file, expires) {
      const isWhole = file.sha256 !== undefined && file.size <= largestPut && (await verifiesPuts());
      return isWhole ? signPut(key, file, expires) : signParts(key, file, expires);
    },

    async complete(Key, { uploadId: UploadId, size }) {
      const parts = UploadId === undefined ? null : await listParts(Key, UploadId);
      if (parts) {
        const sent = parts.reduce((sum, part) => sum + part.size, 0);
        if (sent !== size) return sent === 0 ? null : { size: sent };
        const { sdk, client } = await connect();
        const Parts = parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }));
        const complete = new sdk.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } });
        // Completed by another request in the meantime, if there is no such upload.
        await calling("complete an upload", () => client.send(complete).catch(nullWhen("NoSuchUpload")));
      }
      return head(Key);
    },
  };
}

export const secondsUntil = (time: Date) => Math.ceil((time.getTime() - Date.now()) / 1000);
