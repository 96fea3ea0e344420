import { calling } from "./driver";
import { nullWhen, type s3Client } from "./s3-client";

/** Some 32 bytes that are not the SHA-256 of nothing. */
const wrong = Buffer.alloc(32).toString("base64");

/**
 * Whether the store refuses a PUT whose bytes have not the SHA-256 that it announces: not every store of this protocol
 * does (Ceph 16). Asked once, with such a PUT.
 */
export function s3Checksum(Bucket: string, connect: ReturnType<typeof s3Client>): () => Promise<boolean> {
  let verifies: boolean | undefined;
  return async () => {
    if (verifies !== undefined) return verifies;
    const { sdk, client } = await connect();
    const Key = "checksum-probe";
    const put = new sdk.PutObjectCommand({ Bucket, Key, Body: "", ChecksumSHA256: wrong });
    verifies = await calling("say whether it verifies checksums", async () => {
      const taken = await client.send(put).catch(nullWhen("BadDigest", "XAmzContentChecksumMismatch"));
      if (taken) await client.send(new sdk.DeleteObjectCommand({ Bucket, Key }));
      return taken === null;
    });
    return verifies;
  };
}
