import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { describe, expect, test, vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { serve } from "~/kit/storage/serve";
import type { FileUrlOptions } from "~/kit/storage/tokens";
import { storage, uploadFile } from "../kit";

const text = "0123456789";
const storageId = await uploadFile(text, "text/plain");
const url = await urlOf(storageId);
const sha256 = createHash("sha256").update(text).digest();
const etag = `"${sha256.toString("hex")}"`;
const created = new Date((await storage.getMetadata(storageId))?._creationTime ?? 0).toUTCString();

async function urlOf(storageId: string, options?: FileUrlOptions): Promise<string> {
  return (await storage.getUrl(storageId, options)) ?? "";
}

const ask = (url: string, headers: HeadersInit = {}, method = "GET") => serve(new Request(url, { method, headers }));

const cors = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers":
    "Digest, Repr-Digest, ETag, Content-Range, Accept-Ranges, Content-Disposition, Content-Length",
  "cross-origin-resource-policy": "cross-origin",
};
const caching = {
  ...cors,
  "cache-control": "private, max-age=2592000, immutable, no-transform",
  date: expect.any(String),
  etag,
  "last-modified": created,
};
const whole = {
  ...caching,
  "accept-ranges": "bytes",
  "content-disposition": "inline",
  "content-length": "10",
  "content-security-policy": "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox",
  "content-type": "text/plain",
  digest: `sha-256=${sha256.toString("base64")}`,
  "repr-digest": `sha-256=:${sha256.toString("base64")}:`,
  "x-content-type-options": "nosniff",
};
const error = { ...cors, "cache-control": "no-store", "content-type": "application/json" };

async function answer(response: Response) {
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
}

describe("GET", () => {
  test("the whole file → 200 with these headers and no others", async () => {
    expect(await answer(await ask(url))).toEqual({ status: 200, headers: whole, body: text });
  });

  test("a range → 206: the part, with the digests of the whole", async () => {
    const headers = { ...whole, "content-length": "3", "content-range": "bytes 2-4/10" };
    expect(await answer(await ask(url, { Range: "bytes=2-4" }))).toEqual({ status: 206, headers, body: "234" });
  });

  test("a range beyond the file → 416 with its size", async () => {
    const { status, headers, body } = await answer(await ask(url, { Range: "bytes=10-" }));
    expect(status).toBe(416);
    expect(headers).toEqual({ ...error, "content-range": "bytes */10" });
    expect(JSON.parse(body)).toEqual({ code: "RangeNotSatisfiable", message: expect.stringContaining("10 bytes") });
  });

  test("what the client has already → 304 without a body", async () => {
    expect(await answer(await ask(url, { "If-None-Match": etag }))).toEqual({
      status: 304,
      headers: caching,
      body: "",
    });
  });

  test("another file than asked for → 412", async () => {
    const { status, headers, body } = await answer(await ask(url, { "If-Match": '"other"' }));
    expect([status, headers]).toEqual([412, error]);
    expect(JSON.parse(body)).toEqual({ code: "PreconditionFailed", message: expect.any(String) });
  });

  test.each<[Record<string, string>, number, string]>([
    [{ Range: "bytes=0-4", "If-Range": etag }, 206, "01234"],
    [{ Range: "bytes=0-4", "If-Range": created }, 206, "01234"],
    [{ Range: "bytes=0-4", "If-Range": `W/${etag}` }, 200, text],
    [{ Range: "bytes=0-4", "If-Range": '"other"' }, 200, text],
    [{ Range: "bytes=0-4", "If-Range": "Sun, 06 Nov 1994 08:49:37 GMT" }, 200, text],
    [{ Range: "bytes=99-", "If-Range": '"other"' }, 200, text],
    [{ "If-Range": etag }, 200, text],
    [{ Range: "bytes=0-4,6-7" }, 200, text],
    [{ Range: "bytes=4-2" }, 200, text],
    [{ Range: "lines=0-4" }, 200, text],
    [{ Range: "bytes=-3" }, 206, "789"],
    [{ Range: "bytes=0-99" }, 206, text],
    [{ Range: "bytes=0-4", "If-None-Match": etag }, 304, ""],
    [{ Range: "bytes=99-", "If-None-Match": etag }, 304, ""],
    [{ Range: "bytes=0-4", "If-None-Match": '"other"' }, 206, "01234"],
    [{ Range: "bytes=0-4", "If-Match": etag }, 206, "01234"],
    [{ "If-Modified-Since": created }, 304, ""],
    [{ "If-None-Match": '"other"', "If-Modified-Since": created }, 200, text],
    [{ "If-Unmodified-Since": created }, 200, text],
  ])("%j → %i", async (headers, status, body) => {
    const response = await ask(url, headers);
    expect([response.status, await response.text()]).toEqual([status, body]);
  });

  test.each<[Record<string, string>, number]>([
    [{ Range: "bytes=99-", "If-Match": '"other"' }, 412],
    [{ "If-None-Match": etag, "If-Match": '"other"' }, 412],
    [{ "If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:37 GMT", Range: "bytes=0-4" }, 412],
    [{ Range: "bytes=99-", "If-Range": etag }, 416],
    [{ Range: "bytes=-0" }, 416],
  ])("%j → %i", async (headers, status) => {
    expect((await ask(url, headers)).status).toBe(status);
  });
});

describe("HEAD", () => {
  test("the headers of GET, without the body", async () => {
    expect(await answer(await ask(url, {}, "HEAD"))).toEqual({ status: 200, headers: whole, body: "" });
  });

  test.each<[Record<string, string>, number]>([
    [{ Range: "bytes=2-4" }, 200],
    [{ Range: "bytes=99-" }, 200],
    [{ "If-None-Match": etag }, 304],
    [{ "If-Match": '"other"' }, 412],
  ])("%j → %i", async (headers, status) => {
    const response = await ask(url, headers, "HEAD");
    expect([response.status, response.body]).toEqual([status, null]);
    if (status === 200) expect(response.headers.get("content-length")).toBe("10");
  });

  test.each([
    ["a malformed URL", "http://app.test/api/storage/x", 400],
    ["a forged URL", url.replace(/.{3}$/, "AAA"), 404],
  ])("%s → the headers of the error, without a body", async (_, url, status) => {
    const response = await ask(url, {}, "HEAD");
    expect([response.status, response.body]).toEqual([status, null]);
    expect(Object.fromEntries(response.headers)).toEqual(error);
  });
});

describe("other methods", () => {
  test("OPTIONS → 204: any page may read, conditionally and in parts", async () => {
    const { status, headers, body } = await answer(await ask(url, { Origin: "https://else.test" }, "OPTIONS"));
    expect([status, body]).toEqual([204, ""]);
    expect(headers).toEqual({
      ...cors,
      "access-control-allow-headers":
        "Range, If-Range, If-None-Match, If-Modified-Since, If-Match, If-Unmodified-Since",
      "access-control-allow-methods": "GET, HEAD",
      "access-control-max-age": "86400",
    });
  });

  test.each([["POST"], ["PUT"], ["DELETE"], ["PATCH"], ["PROPFIND"]])("%s → 405 with Allow", async (method) => {
    const { status, headers } = await answer(await ask(url, {}, method));
    expect(status).toBe(405);
    expect(headers).toEqual({ ...error, allow: "GET, HEAD, OPTIONS" });
  });
});

describe("files of every kind", () => {
  test("an empty one → 200 with no bytes, whatever the range", async () => {
    const empty = await urlOf(await uploadFile(""));
    for (const range of ["bytes=0-", "bytes=-1", "bytes=5-9"]) {
      const { status, headers, body } = await answer(await ask(empty, { Range: range }));
      expect([status, headers["content-length"], body]).toEqual([200, "0", ""]);
      expect(headers).not.toHaveProperty("content-range");
    }
    expect((await ask(empty, {}, "HEAD")).headers.get("content-length")).toBe("0");
  });

  test("one without a type → a download without Content-Type", async () => {
    const { headers } = await answer(await ask(await urlOf(await uploadFile("<script>alert(1)</script>", ""))));
    expect(headers).not.toHaveProperty("content-type");
    expect(headers).toMatchObject({ "content-disposition": "attachment", "x-content-type-options": "nosniff" });
  });

  test("one of several pieces → all its bytes, and any part of them", async () => {
    const bytes = Buffer.alloc(3 * 1024 * 1024 + 17, createHash("sha512").update("seed").digest());
    const big = await urlOf(await uploadFile(bytes));
    expect(bytes.equals(Buffer.from(await (await ask(big)).arrayBuffer()))).toBe(true);
    for (const [start, end] of [
      [0, 0],
      [524_287, 524_288],
      [1_000_000, 2_500_000],
      [3_145_728, 3_145_744],
    ] as const) {
      const response = await ask(big, { Range: `bytes=${start}-${end}` });
      expect(response.headers.get("content-length")).toBe(String(end - start + 1));
      expect(bytes.subarray(start, end + 1).equals(Buffer.from(await response.arrayBuffer()))).toBe(true);
    }
  });

  test("one with a name → a download by that name", async () => {
    const response = await ask(await urlOf(storageId, { downloadAs: "Übersicht 1.txt" }));
    expect(response.headers.get("content-disposition")).toBe(
      "attachment; filename=\"_bersicht 1.txt\"; filename*=UTF-8''%C3%9Cbersicht%201.txt",
    );
  });
});

describe("URLs", () => {
  const body = async (response: Response) => JSON.parse(await response.text()) as { code: string };

  test("expiring: cached no longer than it lives, then 410", async () => {
    const expiring = await urlOf(storageId, { expiresIn: 60_000 });
    const expires = Number(new URL(expiring).searchParams.get("expires")) * 1000;
    try {
      vi.useFakeTimers({ now: expires - 1500, toFake: ["Date"] });
      const last = await ask(expiring);
      expect([last.status, last.headers.get("cache-control")]).toEqual([
        200,
        "private, max-age=1, immutable, no-transform",
      ]);
      vi.setSystemTime(expires);
      const expired = await answer(await ask(expiring));
      expect([expired.status, expired.headers]).toEqual([410, error]);
      expect(JSON.parse(expired.body)).toEqual({ code: "FileUrlExpired", message: expect.any(String) });
      expect((await ask(expiring, { "If-None-Match": etag })).status).toBe(410);
    } finally {
      vi.useRealTimers();
    }
  });

  test.each([
    ["tampered with", () => `${url}?download=evil.html`, 404, "FileNotFound"],
    ["of a file's id alone", () => `http://app.test/api/storage/${storageId}`, 400, "InvalidStoragePath"],
    ["of nothing we know", () => "http://app.test/api/storage/a/b", 400, "InvalidStoragePath"],
  ])("%s → an error as JSON, never cached", async (_, tamper, status, code) => {
    const response = await ask(tamper(), { Range: "bytes=0-1", "If-None-Match": "*" });
    expect([response.status, Object.fromEntries(response.headers)]).toEqual([status, error]);
    expect((await body(response)).code).toBe(code);
  });

  test("of a deleted file → 404 on the very next request, for those who have it cached too", async () => {
    const storageId = await uploadFile("gone");
    const [stable, expiring] = [await urlOf(storageId), await urlOf(storageId, { expiresIn: 60_000 })];
    const { headers } = await ask(stable);
    await storage.delete(storageId);
    for (const url of [stable, expiring]) {
      const response = await ask(url, { "If-None-Match": headers.get("etag") ?? "" });
      expect([response.status, Object.fromEntries(response.headers)]).toEqual([404, error]);
      expect((await body(response)).code).toBe("FileNotFound");
    }
    expect((await ask(stable, {}, "HEAD")).status).toBe(404);
  });
});

describe("what breaks", () => {
  test("a blob that is lost while its row is there → 500, not 404, and a line in the log", async () => {
    const log = vi.spyOn(console, "error").mockReturnValue();
    const storageId = await uploadFile("lost");
    const url = await urlOf(storageId);
    const { blobKey } = await prisma.storage.findUniqueOrThrow({ where: { id: storageId }, omit: { blobKey: false } });
    await rm(`${process.env.STORAGE_DISK_PATH}/blobs/${blobKey.slice(-2)}/${blobKey}`);
    const { status, headers, body } = await answer(await ask(url));
    expect([status, headers]).toEqual([500, error]);
    expect(JSON.parse(body)).toEqual({ code: "InternalServerError", message: expect.not.stringContaining(blobKey) });
    expect(String(log.mock.calls)).toContain(blobKey);
    log.mockRestore();
  });
});
