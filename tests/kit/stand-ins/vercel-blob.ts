import { createHmac, randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { parseByteRange } from "./byte-range";
import { type Answer, etag, type StandIn, startStandIn } from "./stand-in";

export const storeId = "teststore";
export const readWriteToken = `vercel_blob_rw_${storeId}_secret`;

const signingSecret = "the store's own";

interface StoredBlob {
  bytes: Buffer;
  contentType: string;
}

export interface VercelBlobStandIn extends StandIn {
  /** The value for `VERCEL_BLOB_API_URL`. */
  apiUrl: string;
  blobs: Map<string, StoredBlob>;
}

/** A private store of Vercel Blob in memory: the API with multipart and signed URLs, and the host that serves blobs. */
export async function startVercelBlob(port?: number, minimalPart = 5 * 1024 * 1024): Promise<VercelBlobStandIn> {
  const blobs = new Map<string, StoredBlob>();
  const uploads = new Map<string, { pathname: string; contentType: string; parts: Map<number, Buffer> }>();

  function answer(request: IncomingMessage, body: Buffer): Answer {
    const url = new URL(request.url ?? "", "http://stand-in");
    const [, isServing, path = ""] = /^\/(serve\/|api\/blob\/?)(.*)$/.exec(url.pathname) ?? [];
    if (isServing === "serve/") return serve(request, decodeURIComponent(path), url);
    const pathname = url.searchParams.get("pathname") ?? "";
    const refusal = refuseRequest(request, url, pathname, "put");
    if (refusal) return refusal;
    switch (`${request.method} ${path}`) {
      case "PUT ":
        return put(request, url, pathname, body);
      case "GET ":
        return url.searchParams.has("url")
          ? head(url.searchParams.get("url") ?? "")
          : list(url.searchParams.get("cursor") ?? "");
      case "POST delete":
        for (const name of JSON.parse(body.toString()).urls) blobs.delete(name);
        return json(null);
      case "POST mpu":
        return multipart(request, pathname, body);
      case "POST signed-token":
        return json(issueToken(JSON.parse(body.toString())));
      default:
        return failure(404, "not_found");
    }
  }

  function put(request: IncomingMessage, url: URL, pathname: string, bytes: Buffer): Answer {
    const { headers } = request;
    const overwrites =
      headers["x-allow-overwrite"] === "1" || url.searchParams.get("vercel-blob-allow-overwrite") === "true";
    if (blobs.has(pathname) && !overwrites) return failure(400, "bad_request", "This blob already exists");
    const limit = url.searchParams.get("vercel-blob-maximum-size-in-bytes");
    if (limit !== null && bytes.length > Number(limit)) return failure(400, "file_too_large");
    return keep(pathname, { bytes, contentType: typeOf(request) });
  }

  function keep(pathname: string, blob: StoredBlob): Answer {
    blobs.set(pathname, blob);
    const url = `https://${storeId}.private.blob.vercel-storage.com/${pathname}`;
    return json({
      url,
      downloadUrl: `${url}?download=1`,
      pathname,
      contentType: blob.contentType,
      etag: etag(blob.bytes),
    });
  }

  function head(pathname: string): Answer {
    const blob = blobs.get(pathname);
    if (!blob) return failure(404, "not_found");
    const { bytes, contentType } = blob;
    return json({ pathname, size: bytes.length, contentType, uploadedAt: new Date(), etag: etag(bytes) });
  }

  /** Answers contain two entries, so that readers have to read several pages. */
  function list(after: string): Answer {
    const names = [...blobs.keys()].filter((name) => name > after).sort();
    const page = names.slice(0, 2).map((pathname) => ({
      url: `https://${storeId}.private.blob.vercel-storage.com/${pathname}`,
      downloadUrl: `https://${storeId}.private.blob.vercel-storage.com/${pathname}?download=1`,
      pathname,
      size: blobs.get(pathname)?.bytes.length,
      uploadedAt: new Date(),
      etag: '"a"',
    }));
    return json({ blobs: page, hasMore: names.length > 2, ...(names.length > 2 && { cursor: names[1] }) });
  }

  function multipart(request: IncomingMessage, pathname: string, body: Buffer): Answer {
    const { headers } = request;
    if (headers["x-mpu-action"] === "create") {
      const uploadId = randomUUID();
      uploads.set(uploadId, { pathname, contentType: typeOf(request), parts: new Map() });
      return json({ uploadId, key: pathname });
    }
    const upload = uploads.get(String(headers["x-mpu-upload-id"]));
    if (upload?.pathname !== pathname || headers["x-mpu-key"] !== encodeURIComponent(pathname)) {
      return failure(404, "not_found");
    }
    if (headers["x-mpu-action"] === "upload") {
      upload.parts.set(Number(headers["x-mpu-part-number"]), body);
      return json({ etag: etag(body) });
    }
    const named: { partNumber: number; etag: string }[] = JSON.parse(body.toString());
    const parts = named.map(({ partNumber }) => upload.parts.get(partNumber));
    const bytes = parts.filter((part) => part !== undefined);
    if (bytes.length === 0 || named.some((part, index) => part.etag !== etag(parts[index] ?? Buffer.alloc(0)))) {
      return failure(400, "bad_request", "Parts do not match");
    }
    if (bytes.slice(0, -1).some(({ length }) => length < minimalPart)) return failure(400, "bad_request", "Small part");
    uploads.delete(String(headers["x-mpu-upload-id"]));
    return keep(pathname, { bytes: Buffer.concat(bytes), contentType: upload.contentType });
  }

  function serve(request: IncomingMessage, pathname: string, url: URL): Answer {
    const refusal = refuseRequest(request, url, pathname, "get");
    if (refusal) return refusal;
    const blob = blobs.get(pathname);
    if (!blob) return failure(404, "not_found");
    const { bytes, contentType } = blob;
    const disposition = url.searchParams.get("download") === "1" ? "attachment" : "inline";
    const headers = {
      "Content-Type": contentType,
      "Content-Disposition": `${disposition}; filename="${pathname.split("/").at(-1)}"`,
      ETag: etag(bytes),
      "Accept-Ranges": "bytes",
    };
    const range = parseByteRange(request.headers.range, bytes.length);
    if (range === "unsatisfiable") return { status: 416 };
    if (!range) return { status: 200, headers, body: bytes };
    const contentRange = `bytes ${range[0]}-${range[1] - 1}/${bytes.length}`;
    return { status: 206, headers: { ...headers, "Content-Range": contentRange }, body: bytes.subarray(...range) };
  }

  const standIn = await startStandIn(answer, port);
  return Object.assign(standIn, { blobs, apiUrl: `${standIn.url}/api/blob` });
}

/** A bearer token gives access to everything. A signed URL gives access only to what it was signed for. */
function refuseRequest({ headers }: IncomingMessage, url: URL, pathname: string, operation: string): Answer | null {
  if (headers.authorization === `Bearer ${readWriteToken}`) return null;
  const delegation = url.searchParams.get("vercel-blob-delegation") ?? "";
  const [payload = "", mac] = delegation.split(".");
  if (mac !== hmac(signingSecret, payload)) return failure(403, "forbidden");
  const scope = JSON.parse(Buffer.from(payload, "base64url").toString());
  const signed = [...url.searchParams].filter(
    ([name]) => name.startsWith("vercel-blob-") && !/-(delegation|signature)$/.test(name),
  );
  const lines = [
    `operation=${operation}`,
    `pathname=${pathname}`,
    ...signed.map(([name, value]) => `${name}=${value}`),
  ];
  const canonical = lines.sort().join("\n");
  const expires = Number(url.searchParams.get("vercel-blob-valid-until") ?? scope.validUntil);
  const isAllowed =
    url.searchParams.get("vercel-blob-signature") === hmac(hmac(signingSecret, delegation), canonical) &&
    scope.operations.includes(operation) &&
    ["*", pathname].includes(scope.pathname) &&
    Date.now() < expires;
  return isAllowed ? null : failure(403, "forbidden");
}

function issueToken({ pathname = "*", operations = ["get"], validUntil = Date.now() + 3_600_000, ...limits }) {
  const scope = { storeId, pathname, operations, validUntil, ...limits };
  const payload = Buffer.from(JSON.stringify(scope)).toString("base64url");
  const delegationToken = `${payload}.${hmac(signingSecret, payload)}`;
  return { delegationToken, clientSigningToken: hmac(signingSecret, delegationToken), validUntil };
}

const hmac = (key: string, text: string) => createHmac("sha256", key).update(text).digest("base64url");
const typeOf = ({ headers }: IncomingMessage) => String(headers["x-content-type"] ?? "application/octet-stream");

const json = (body: unknown, status = 200): Answer => ({
  status,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

const failure = (status: number, code: string, message = "Said the stand-in") =>
  json({ error: { code, message } }, status);
