import { afterEach, expect, test, vi } from "vitest";
import { fileHeaders } from "~/kit/storage/headers";

const storageId = "0199c1a2-7b3c-7d4e-8f50-123456789abc";
const created = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const file = { _id: storageId, _creationTime: created, sha256: "00".repeat(32), size: 3, contentType: null };

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

test("fileHeaders of a file without a type: no Content-Type", () => {
  expect(fileHeaders(file, {}).has("content-type")).toBe(false);
  expect(fileHeaders({ ...file, contentType: "text/html" }, {}).get("content-type")).toBe("text/html");
});

test("fileHeaders: Last-Modified is to the second, digests are of the SHA-256", () => {
  const headers = fileHeaders(file, {});
  const zeros = `${"A".repeat(43)}=`;
  expect(headers.get("last-modified")).toBe("Fri, 02 Jan 2026 03:04:05 GMT");
  expect(headers.get("etag")).toBe(`"${"0".repeat(64)}"`);
  expect(headers.get("digest")).toBe(`sha-256=${zeros}`);
  expect(headers.get("repr-digest")).toBe(`sha-256=:${zeros}:`);
});

const now = 1_767_323_000;

test.each([
  ["stable", undefined, 2_592_000],
  ["more than a month to live", now + 3_000_000, 2_592_000],
  ["an hour and a bit to live", now + 3601, 3600],
  ["half a second to live", now + 1, 0],
  ["expired meanwhile", now - 1, 0],
])("fileHeaders of a URL, %s: max-age is no longer", (_, expires, maxAge) => {
  vi.useFakeTimers({ now: now * 1000 + 500 });
  const headers = fileHeaders(file, { expires });
  expect(headers.get("cache-control")).toBe(`private, max-age=${maxAge}, immutable, no-transform`);
});

test("fileHeaders with STORAGE_CACHE=public: a CDN may keep it", async () => {
  vi.resetModules();
  vi.stubEnv("STORAGE_CACHE", "public");
  const module = await import("~/kit/storage/headers");
  expect(module.fileHeaders(file, {}).get("cache-control")).toMatch(/^public, max-age=/);
});
