import { z } from "zod";
import { calling, type DirectFile, type DirectTarget, type DirectUploads } from "./driver";
import { partSize, sizesOfParts } from "./parts";

type Sdk = typeof import("@vercel/blob");

const access = "private";

const partAnswer = z.object({ etag: z.string() });

/** What the store said of a part; nothing if it was not the store that said it. */
function readEtag(answer: string): string[] {
  try {
    return [partAnswer.parse(JSON.parse(answer)).etag];
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return [];
    throw error;
  }
}

/** Bytes that the client sends to Vercel Blob with a signed URL, which writes one blob of this key and overwrites none. */
export function vercelBlobDirect(
  load: () => Promise<Sdk>,
  find: (key: string) => Promise<{ size: number; contentType: string } | null>,
): DirectUploads {
  async function start(key: string, file: DirectFile, expires: Date): Promise<DirectTarget> {
    const sdk = await load();
    const validUntil = expires.getTime();
    const limits = { pathname: key, validUntil, maximumSizeInBytes: file.size };
    const token = await calling("sign an upload", () => sdk.issueSignedToken({ ...limits, operations: ["put"] }));
    const signing = { ...limits, operation: "put", allowOverwrite: false, access } as const;
    const { presignedUrl } = await sdk.presignUrl(token, signing);
    const headers = {
      "x-api-version": "12",
      "x-vercel-blob-access": access,
      ...(file.contentType !== null && { "x-content-type": file.contentType }),
    };
    if (file.size <= partSize) return { parts: [{ method: "PUT", url: presignedUrl, headers, size: file.size }] };

    const options = { access, ...(file.contentType !== null && { contentType: file.contentType }) } as const;
    const create = () => sdk.createMultipartUpload(key, options);
    // Its other name for the upload is the key again, as nothing random is added to that.
    const { uploadId } = await calling("start an upload", create);
    const url = new URL(presignedUrl);
    url.pathname = `${url.pathname.replace(/\/$/, "")}/mpu`;
    const upload = {
      "x-mpu-action": "upload",
      "x-mpu-key": key,
      "x-mpu-upload-id": uploadId,
    };
    const parts = sizesOfParts(file.size).map((size, index) => {
      const part = { ...headers, ...upload, "x-mpu-part-number": String(index + 1) };
      return { method: "POST", url: url.href, headers: part, size };
    });
    return { uploadId, parts };
  }

  return {
    start,

    async complete(key, { uploadId, size }, answers) {
      const sdk = await load();
      const found = await find(key);
      if (found || uploadId === undefined) return found;
      const etags = answers.flatMap(readEtag);
      if (etags.length !== sizesOfParts(size).length) return null;
      const parts = etags.map((etag, index) => ({ partNumber: index + 1, etag }));
      const upload = { access, uploadId, key } as const;
      const complete = () => sdk.completeMultipartUpload(key, parts, upload);
      const failure = await calling("complete an upload", complete).then(
        () => null,
        (error: unknown) => error,
      );
      const made = await find(key);
      // When it failed, another request may have completed it in the meantime.
      if (failure && !made) throw failure;
      return made;
    },
  };
}
