import { createHash, randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { accessKeyId, refuseSignature, secretAccessKey } from "./aws-signature";
import { parseByteRange } from "./byte-range";
import { type Answer, etag, type StandIn, startStandIn } from "./stand-in";

interface StoredObject {
  bytes: Buffer;
  contentType: string;
  sha256?: string;
}

interface Upload {
  key: string;
  contentType: string;
  parts: Map<number, Buffer>;
}

/** A bucket with which a test may do what it wants. */
export interface S3Store extends StandIn {
  /** Make an app use it. */
  settings: Record<"S3_BUCKET" | "S3_REGION" | "S3_ENDPOINT" | "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY", string>;
  /** Objects, and uploads in parts that are neither completed nor aborted. */
  count(): Promise<{ blobs: number; uploads: number }>;
  /** Swaps the bytes of every object for others. */
  corrupt(bytes: Buffer): Promise<void>;
}

/** The least bytes of a part that is not the last. */
export const smallestPart = 5 * 1024 * 1024;

/**
 * S3 in memory: objects, ranges, multipart uploads, checksums, and signatures in headers and URLs. Ceph's (16.2) takes
 * no notice of checksums, and has another name for an upload that is over.
 */
export async function startS3(kind: "Amazon" | "Ceph" = "Amazon", minimalPart = smallestPart): Promise<S3Store> {
  const bucket = "files";
  const objects = new Map<string, StoredObject>();
  const uploads = new Map<string, Upload>();

  function answer(request: IncomingMessage, body: Buffer): Answer {
    const url = new URL(request.url ?? "", "http://stand-in");
    const refusal = refuseSignature(request, url);
    if (refusal) return failure(403, refusal);
    const [, bucketName, key = ""] = /^\/([^/]+)\/?(.*)$/.exec(url.pathname) ?? [];
    if (bucketName !== bucket) return failure(404, "NoSuchBucket");
    const hash = request.headers["x-amz-content-sha256"];
    if (hash && hash !== "UNSIGNED-PAYLOAD" && hash !== sha256(body).toString("hex")) {
      return failure(400, "XAmzContentSHA256Mismatch");
    }
    const query = url.searchParams;
    const uploadId = query.get("uploadId");
    if (key === "" && query.get("list-type") === "2") return listObjects(query.get("continuation-token") ?? "");
    if (key === "") return query.has("uploads") ? listUploads(query.get("prefix") ?? "") : { status: 200 };
    if (query.has("uploads")) return startUpload(key, request);
    if (uploadId !== null) return answerUpload(request, uploadId, key, query, body);
    switch (request.method) {
      case "PUT":
        return putObject(request, key, body);
      case "DELETE":
        objects.delete(key);
        return { status: 204 };
      default:
        return getObject(request, key, query);
    }
  }

  function putObject(request: IncomingMessage, key: string, bytes: Buffer): Answer {
    const checksum = kind === "Amazon" && request.headers["x-amz-checksum-sha256"];
    if (request.headers["if-none-match"] === "*" && objects.has(key)) return failure(412, "PreconditionFailed");
    if (checksum && checksum !== sha256(bytes).toString("base64")) return failure(400, "BadDigest");
    objects.set(key, { bytes, contentType: typeOf(request), ...(checksum && { sha256: String(checksum) }) });
    return { status: 200, headers: { ETag: etag(bytes) } };
  }

  function getObject(request: IncomingMessage, key: string, query: URLSearchParams): Answer {
    const object = objects.get(key);
    if (!object) return failure(404, "NoSuchKey");
    const { bytes, contentType } = object;
    const checksum = request.headers["x-amz-checksum-mode"] === "ENABLED" && object.sha256;
    const disposition = query.get("response-content-disposition");
    const cacheControl = query.get("response-cache-control");
    const headers = {
      "Accept-Ranges": "bytes",
      "Content-Length": String(bytes.length),
      "Content-Type": query.get("response-content-type") ?? contentType,
      ETag: etag(bytes),
      ...(checksum && { "x-amz-checksum-sha256": checksum, "x-amz-checksum-type": "FULL_OBJECT" }),
      ...(disposition && { "Content-Disposition": disposition }),
      ...(cacheControl && { "Cache-Control": cacheControl }),
    };
    const range = parseByteRange(request.headers.range, bytes.length);
    if (range === "unsatisfiable") return failure(416, "InvalidRange");
    if (!range) return { status: 200, headers, body: bytes };
    const [start, end] = range;
    const part = { "Content-Length": `${end - start}`, "Content-Range": `bytes ${start}-${end - 1}/${bytes.length}` };
    return { status: 206, headers: { ...headers, ...part }, body: bytes.subarray(start, end) };
  }

  function startUpload(key: string, request: IncomingMessage): Answer {
    const uploadId = randomUUID();
    uploads.set(uploadId, { key, contentType: typeOf(request), parts: new Map() });
    return xml("InitiateMultipartUploadResult", element("Key", key) + element("UploadId", uploadId));
  }

  function listUploads(prefix: string): Answer {
    const found = [...uploads].filter(([, { key }]) => key.startsWith(prefix));
    const list = found.map(([id, { key }]) => element("Upload", element("Key", key) + element("UploadId", id)));
    return xml("ListMultipartUploadsResult", list.join(""));
  }

  /** Answers contain two entries, so that readers have to read several pages. */
  function listObjects(after: string): Answer {
    const keys = [...objects.keys()].filter((key) => key > after).sort();
    const page = keys.slice(0, 2).map((key) => {
      const size = objects.get(key)?.bytes.length ?? 0;
      return element("Contents", element("Key", key) + element("Size", `${size}`));
    });
    const next = keys.length > 2 ? element("NextContinuationToken", keys[1] ?? "") : "";
    return xml("ListBucketResult", page.join("") + element("IsTruncated", `${next !== ""}`) + next);
  }

  function answerUpload(
    request: IncomingMessage,
    uploadId: string,
    key: string,
    query: URLSearchParams,
    body: Buffer,
  ): Answer {
    const upload = uploads.get(uploadId);
    if (upload?.key !== key) {
      return failure(404, kind === "Ceph" && request.method === "GET" ? "NoSuchKey" : "NoSuchUpload");
    }
    switch (request.method) {
      case "PUT":
        upload.parts.set(Number(query.get("partNumber")), body);
        return { status: 200, headers: { ETag: etag(body) } };
      case "DELETE":
        uploads.delete(uploadId);
        return { status: 204 };
      case "GET":
        return listParts(upload, Number(query.get("part-number-marker")));
      default:
        return completeUpload(uploadId, upload, body.toString());
    }
  }

  /** Answers contain two entries, so that readers have to read several pages. */
  function listParts({ parts }: Upload, after: number): Answer {
    const numbers = [...parts.keys()].filter((number) => number > after).sort((a, b) => a - b);
    const page = numbers.slice(0, 2).map((number) => {
      const bytes = parts.get(number) ?? Buffer.alloc(0);
      const fields = { PartNumber: `${number}`, ETag: etag(bytes), Size: `${bytes.length}` };
      return element(
        "Part",
        Object.entries(fields)
          .map(([name, value]) => element(name, value))
          .join(""),
      );
    });
    const truncated = element("IsTruncated", `${numbers.length > 2}`);
    return xml("ListPartsResult", page.join("") + truncated + element("NextPartNumberMarker", `${numbers[1] ?? 0}`));
  }

  function completeUpload(uploadId: string, { key, contentType, parts }: Upload, request: string): Answer {
    const named = [...request.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = ""]) => ({
      number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
      etag: /<ETag>(.*?)</.exec(part)?.[1]?.replaceAll("&quot;", '"'),
    }));
    const bytes = named.map(({ number }) => parts.get(number) ?? Buffer.alloc(0));
    if (named.length === 0) return failure(400, "MalformedXML");
    if (
      named.some(({ number, etag: tag }, index) => !parts.has(number) || tag !== etag(bytes[index] ?? Buffer.alloc(0)))
    ) {
      return failure(400, "InvalidPart");
    }
    if (bytes.slice(0, -1).some(({ length }) => length < minimalPart)) return failure(400, "EntityTooSmall");
    // Cloudflare R2 requires this.
    if (bytes.slice(0, -1).some(({ length }) => length !== bytes[0]?.length)) return failure(400, "InvalidPart");
    uploads.delete(uploadId);
    objects.set(key, { bytes: Buffer.concat(bytes), contentType });
    return xml("CompleteMultipartUploadResult", element("Key", key));
  }

  const standIn = await startStandIn(answer);
  const credentials = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  return Object.assign(standIn, {
    settings: { S3_BUCKET: bucket, S3_REGION: "us-east-1", S3_ENDPOINT: standIn.url, ...credentials },
    count: async () => ({ blobs: objects.size, uploads: uploads.size }),
    async corrupt(bytes: Buffer) {
      for (const object of objects.values()) object.bytes = bytes;
    },
  });
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest();
const typeOf = ({ headers }: IncomingMessage) => headers["content-type"] ?? "binary/octet-stream";

const element = (name: string, content: string) => `<${name}>${content}</${name}>`;

function xml(name: string, content: string, status = 200): Answer {
  return { status, headers: { "Content-Type": "application/xml" }, body: element(name, content) };
}

const failure = (status: number, code: string) =>
  xml("Error", element("Code", code) + element("Message", "Said the stand-in"), status);
