import { createHash, randomBytes } from "node:crypto";
import { expect, test, vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { limits } from "~/kit/process/limits";
import { blobs } from "~/kit/storage/blobs";
import { collectGarbage } from "~/kit/storage/garbage-collection";
import { takeUpload } from "~/kit/storage/tus";
import { eventually } from "../../eventually";
import { everything, openFiles, post, storage, streamOf } from "../kit";

const version = { "Tus-Resumable": "1.0.0" };
const base64 = (text: string) => Buffer.from(text).toString("base64");
const digest = (bytes: string, algorithm = "sha256") => createHash(algorithm).update(bytes).digest("base64");

function tus(url: string, method: string, headers: Record<string, string> = {}, body: BodyInit | null = null) {
  const init: RequestInit & { duplex: "half" } = { method, body, headers: { ...version, ...headers }, duplex: "half" };
  return takeUpload(new Request(url, init));
}

const begin = (url: string, size: number, headers: Record<string, string> = {}) =>
  tus(url, "POST", { "Upload-Length": String(size), ...headers });

const send = (url: string, offset: number, body: BodyInit, headers: Record<string, string> = {}) =>
  tus(
    url,
    "PATCH",
    { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream", ...headers },
    body,
  );

async function read(response: Response) {
  const { status, headers } = response;
  const text = await response.text();
  const { code = null } = text ? (JSON.parse(text) as { code: string }) : {};
  return [status, code ?? headers.get("Upload-Offset")];
}

const offsetOf = async (url: string) => (await tus(url, "HEAD")).headers.get("Upload-Offset");

test("a file in three requests: begins, continues, and ends with its storage id", async () => {
  const url = await storage.generateUploadUrl({ contentTypes: ["text/*"] });
  const metadata = `filename ${base64("a.txt")},filetype ${base64("text/plain")}`;
  const begun = await begin(url, 11, { "Upload-Metadata": metadata });
  expect(begun.status).toBe(201);
  const location = new URL(begun.headers.get("Location") ?? "", url).href;
  expect(location).toBe(url);
  expect(Date.parse(begun.headers.get("Upload-Expires") ?? "")).toBeGreaterThan(Date.now() + 23 * 3_600_000);

  const first = await send(location, 0, "hello ");
  expect([first.status, first.headers.get("Upload-Offset"), first.headers.get("Storage-Id")]).toEqual([204, "6", null]);
  const asked = await tus(location, "HEAD");
  expect(Object.fromEntries(asked.headers)).toMatchObject({
    "tus-resumable": "1.0.0",
    "upload-offset": "6",
    "upload-length": "11",
    "upload-metadata": metadata,
    "cache-control": "no-store",
    "access-control-allow-origin": "*",
  });
  const last = await send(location, 6, "world");
  const storageId = last.headers.get("Storage-Id") ?? "";
  expect([last.status, last.headers.get("Upload-Offset")]).toEqual([204, "11"]);
  expect(await storage.getMetadata(storageId)).toMatchObject({
    size: 11,
    contentType: "text/plain",
    sha256: createHash("sha256").update("hello world").digest("hex"),
  });
  expect(await (await storage.get(storageId))?.text()).toBe("hello world");

  // An answer that was lost is repeated, and the URL takes no second file.
  const again = await tus(url, "HEAD");
  expect([again.status, again.headers.get("Upload-Offset"), again.headers.get("Storage-Id")]).toEqual([
    200,
    "11",
    storageId,
  ]);
  expect((await send(url, 11, "")).headers.get("Storage-Id")).toBe(storageId);
  expect(await read(await begin(url, 11, { "Upload-Metadata": metadata }))).toEqual([409, "StorageTokenUsed"]);
  expect(await read(await tus(url, "DELETE"))).toEqual([409, "StorageTokenUsed"]);
  expect(await prisma.unfinishedUpload.count()).toBe(0);
});

test("a large upload is checked in slices, while requests are answered 423", async () => {
  const bytes = randomBytes(1024 * 1024);
  const url = await storage.generateUploadUrl();
  await begin(url, bytes.length);
  const before = { ...limits };
  Object.assign(limits, { hashedAtOnceBytes: 1000, hashSliceMs: 0 });
  const last = await send(url, 0, new Uint8Array(bytes));
  expect([last.status, last.headers.get("Retry-After")]).toEqual([423, "1"]);
  let head = await tus(url, "HEAD");
  for (let ms = 1; head.status === 423; ms *= 2) {
    Object.assign(limits, { hashSliceMs: ms });
    head = await tus(url, "HEAD");
  }
  Object.assign(limits, before);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  expect(await storage.getMetadata(head.headers.get("Storage-Id") ?? "")).toMatchObject({ sha256 });
});

test("OPTIONS: what the server speaks, and any page may", async () => {
  const { status, headers } = await takeUpload(
    new Request("http://app.test/api/storage/upload", { method: "OPTIONS" }),
  );
  expect(status).toBe(204);
  expect(Object.fromEntries(headers)).toMatchObject({
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, HEAD, PATCH, DELETE",
    "access-control-allow-headers": expect.stringContaining(
      "Content-Type, Digest, Content-Digest, Repr-Digest, Tus-Resumable",
    ),
    "tus-version": "1.0.0",
    "tus-extension": "creation,creation-with-upload,expiration,termination,checksum",
    "tus-checksum-algorithm": "sha1,sha256",
  });
});

test("the first bytes may come with the request that begins, and an empty file is complete at once", async () => {
  const url = await storage.generateUploadUrl();
  const type = { "Content-Type": "application/offset+octet-stream" };
  const begun = await tus(url, "POST", { ...type, "Upload-Length": "5" }, "abc");
  expect([begun.status, begun.headers.get("Upload-Offset"), begun.headers.has("Location")]).toEqual([201, "3", true]);
  expect((await send(url, 3, "de")).headers.get("Storage-Id")).not.toBeNull();

  const empty = await begin(await storage.generateUploadUrl(), 0);
  expect(await storage.getMetadata(empty.headers.get("Storage-Id") ?? "")).toMatchObject({ size: 0 });
});

test.each<[string, Record<string, string>, (string | null)?, string?]>([
  ["no length", {}, "BadHeader"],
  ["a length that comes later", { "Upload-Defer-Length": "1" }, "BadHeader"],
  ["a negative length", { "Upload-Length": "-1" }, "BadHeader"],
  ["a length in hex", { "Upload-Length": "0x10" }, "BadHeader"],
  [
    "more than the URL allows",
    { "Upload-Length": "1001", "Upload-Metadata": `filetype ${base64("image/png")}` },
    "FileTooLarge",
  ],
  [
    "a type that the URL does not allow",
    { "Upload-Length": "9", "Upload-Metadata": `filetype ${base64("text/html")}` },
    "ContentTypeNotAllowed",
  ],
  ["no type where the URL wants one", { "Upload-Length": "9" }, "ContentTypeNotAllowed"],
  ["a type that is none", { "Upload-Length": "9", "Upload-Metadata": `filetype ${base64("a\nb")}` }, "BadHeader"],
  ["metadata that is none", { "Upload-Length": "9", "Upload-Metadata": "filetype %%%" }, "BadHeader"],
  ["another version", { "Upload-Length": "9", "Tus-Resumable": "0.2.2" }, "TusVersionUnsupported"],
])("refuses to begin with %s", async (_, headers, code) => {
  const url = await storage.generateUploadUrl({ maxSize: 1000, contentTypes: ["image/*"] });
  const before = await everything();
  const response = await tus(url, "POST", headers);
  expect(response.headers.get("Tus-Version")).toBe(code === "TusVersionUnsupported" ? "1.0.0" : null);
  expect((await read(response))[1]).toBe(code);
  expect([await everything(), await prisma.unfinishedUpload.count()]).toEqual([before, 0]);
});

test.each<[string, (url: string) => Promise<Response>, number, string]>([
  ["at another offset", (url) => send(url, 2, "cd"), 409, "OffsetMismatch"],
  ["of another type", (url) => send(url, 3, "d", { "Content-Type": "text/plain" }), 415, "ContentTypeNotAllowed"],
  ["without an offset", (url) => send(url, 3, "d", { "Upload-Offset": "" }), 400, "BadHeader"],
  ["longer than announced", (url) => send(url, 3, "defghijklmnop"), 413, "FileTooLarge"],
  [
    "of another sha1",
    (url) => send(url, 3, "d", { "Upload-Checksum": `sha1 ${digest("x", "sha1")}` }),
    460,
    "ChecksumMismatch",
  ],
  [
    "of another sha256",
    (url) => send(url, 3, "d", { "Upload-Checksum": `sha256 ${digest("x")}` }),
    460,
    "ChecksumMismatch",
  ],
  [
    "of an algorithm that is not known",
    (url) => send(url, 3, "d", { "Upload-Checksum": "crc32 abc" }),
    400,
    "BadHeader",
  ],
  ["with another method", (url) => tus(url, "PUT"), 405, "MethodNotAllowed"],
  ["with a new length", (url) => begin(url, 99), 409, "UploadBegun"],
  ["with a forged token", (url) => send(`${url}x`, 3, "d"), 401, "StorageTokenInvalid"],
])("refuses bytes %s, and the upload goes on", async (_, attempt, status, code) => {
  const url = await storage.generateUploadUrl();
  await begin(url, 10);
  await send(url, 0, "abc");
  expect(await read(await attempt(url))).toEqual([status, code]);
  expect(await offsetOf(url)).toBe("3");
  const last = await send(url, 3, "defghij", { "Upload-Checksum": `sha1 ${digest("defghij", "sha1")}` });
  expect(await (await storage.get(last.headers.get("Storage-Id") ?? ""))?.text()).toBe("abcdefghij");
});

test("a broken connection: what arrived is kept, except where a checksum covers the whole request", async () => {
  const url = await storage.generateUploadUrl();
  await begin(url, 10);
  expect(await read(await send(url, 0, streamOf("abc", new Error("cut"))))).toEqual([400, "IncompleteBody"]);
  expect(await offsetOf(url)).toBe("3");
  const checksum = { "Upload-Checksum": `sha256 ${digest("defghij")}` };
  await send(url, 3, streamOf("defg", new Error("cut")), checksum);
  expect(await offsetOf(url)).toBe("3");
  expect((await send(url, 3, "defghij", checksum)).headers.get("Storage-Id")).not.toBeNull();
  expect(await openFiles()).toBe(0);
});

test("the digest that was announced at the beginning: other bytes make no file and leave nothing", async () => {
  const before = await everything();
  const url = await storage.generateUploadUrl();
  await begin(url, 3, { "Repr-Digest": `sha-256=:${digest("abc")}:` });
  expect(await read(await send(url, 0, "abd"))).toEqual([400, "Sha256Mismatch"]);
  expect([await read(await tus(url, "HEAD")), await everything()]).toEqual([[404, null], before]);
  await begin(url, 3, { "Repr-Digest": `sha-256=:${digest("abc")}:` });
  expect((await send(url, 0, "abc")).headers.get("Storage-Id")).not.toBeNull();
});

test("DELETE: leaves nothing, and a request that writes is stopped first", async () => {
  const before = await everything();
  const url = await storage.generateUploadUrl();
  await begin(url, 100_000);
  const stalled = send(
    url,
    0,
    streamOf("abc", () => new Promise(() => undefined)),
  );
  await eventually(async () => expect(await openFiles()).toBe(1));
  expect((await tus(url, "DELETE")).status).toBe(204);
  expect(await read(await stalled)).toEqual([408, "RequestTimeout"]);
  expect([await read(await tus(url, "HEAD")), await everything(), await openFiles()]).toEqual([[404, null], before, 0]);
});

test("DELETE: one that fails leaves an upload that continues, or none", async () => {
  const url = await storage.generateUploadUrl();
  await begin(url, 6);
  await send(url, 0, "abc");
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const failure = vi
    .spyOn(prisma.unfinishedUpload, "deleteMany")
    .mockRejectedValueOnce(new Error("The database is down"));
  expect((await tus(url, "DELETE")).status).toBe(500);
  failure.mockRestore();
  log.mockRestore();
  expect(await offsetOf(url)).toBe("3");
  expect(await read(await send(url, 3, "def"))).toEqual([204, "6"]);
});

test("DELETE: an upload whose file was made meanwhile is refused, and leaves nothing", async () => {
  const before = await everything();
  const url = await storage.generateUploadUrl();
  await begin(url, 6);
  await send(url, 0, "abc");
  const { storageId } = await (await post(url, "abcdef")).json();
  expect(await read(await tus(url, "DELETE"))).toEqual([409, "StorageTokenUsed"]);
  expect((await tus(url, "HEAD")).headers.get("Storage-Id")).toBe(storageId);
  expect((await everything()).unowned).toEqual(before.unowned);
});

test("a request without bytes behind the last one completes the upload", async () => {
  const url = await storage.generateUploadUrl();
  await begin(url, 6);
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const failure = vi.spyOn(blobs, "get").mockRejectedValue(new Error("The store is down"));
  expect((await send(url, 0, "abcdef")).status).toBe(503);
  failure.mockRestore();
  log.mockRestore();
  const last = await send(url, 6, "");
  expect(await (await storage.get(last.headers.get("Storage-Id") ?? ""))?.text()).toBe("abcdef");
});

test("DELETE: a complete upload is refused and its file stays, and none is not found", async () => {
  const url = await storage.generateUploadUrl();
  expect(await read(await tus(url, "DELETE"))).toEqual([404, "UploadNotFound"]);
  await begin(url, 3);
  const id = (await send(url, 0, "abc")).headers.get("Storage-Id") ?? "";
  expect(await read(await tus(url, "DELETE"))).toEqual([409, "StorageTokenUsed"]);
  expect(await (await storage.get(id))?.text()).toBe("abc");
});

test("a client that comes back while its old connection hangs continues behind what arrived", async () => {
  const url = await storage.generateUploadUrl();
  await begin(url, 6);
  const stalled = send(
    url,
    0,
    streamOf("abc", () => new Promise(() => undefined)),
  );
  await eventually(async () => expect(await openFiles()).toBe(1));
  expect(await offsetOf(url)).toBe("3");
  expect((await stalled).status).toBe(408);
  const last = await send(url, 3, "def");
  expect(await (await storage.get(last.headers.get("Storage-Id") ?? ""))?.text()).toBe("abcdef");
});

test("an upload goes on after its URL has expired, until it expires itself; then it is deleted", async () => {
  await collectGarbage();
  const url = await storage.generateUploadUrl();
  const before = await everything();
  await begin(url, 6);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 3_600_000 });
  try {
    expect(await read(await send(url, 0, "abc"))).toEqual([204, "3"]);
    expect(await read(await begin(url, 6))).toEqual([401, "StorageTokenExpired"]);
  } finally {
    vi.useRealTimers();
  }
  await prisma.unfinishedUpload.updateMany({ data: { expiresAt: new Date(0) } });
  await prisma.unownedBlob.updateMany({ data: { deleteAfter: new Date(0) } });
  expect(await read(await send(url, 3, "def"))).toEqual([404, "UploadNotFound"]);
  await collectGarbage();
  expect([await everything(), await prisma.unfinishedUpload.count()]).toEqual([before, 0]);
});

test("bytes that have arrived count against the quota, and the URL takes one file by either way", async () => {
  const url = await storage.generateUploadUrl();
  await begin(url, 6);
  await send(url, 0, "abc");
  const posted = await post(url, randomBytes(10));
  expect(posted.status).toBe(200);
  const { storageId } = (await posted.json()) as { storageId: string };
  expect(await read(await send(url, 3, "def"))).toEqual([204, "6"]);
  expect(await storage.getMetadata(storageId)).toMatchObject({ size: 10 });
});

test("an upload that expires ends the request that sends its bytes", async () => {
  const url = await storage.generateUploadUrl();
  await begin(url, 6);
  const stalled = send(
    url,
    0,
    streamOf("abc", () => new Promise(() => undefined)),
  );
  await eventually(async () => expect(await openFiles()).toBe(1));
  await prisma.unfinishedUpload.updateMany({ data: { expiresAt: new Date(0) } });
  expect(await read(await stalled)).toEqual([408, "RequestTimeout"]);
});
