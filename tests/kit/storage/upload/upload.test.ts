import { createHash } from "node:crypto";
import { describe, expect, test, vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { collectGarbage } from "~/kit/storage/garbage-collection";
import type { UploadLimits } from "~/kit/storage/tokens";
import { upload } from "~/kit/storage/upload";
import { eventually } from "../../eventually";
import { everything, post, storage, streamOf } from "../kit";

const text = "the bytes of a file";
const hash = createHash("sha256").update(text);
const base64 = hash.copy().digest("base64");
const emptyBase64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const cors = { "access-control-allow-origin": "*", "access-control-expose-headers": "Retry-After" };
const answers = {
  ...cors,
  "cache-control": "no-store, no-transform",
  "content-type": "application/json",
};

/** Returns the answer, after checking that it has the headers of every answer. */
async function read(response: Response, headers: Record<string, string> = {}) {
  expect(Object.fromEntries(response.headers)).toEqual({ ...answers, ...headers });
  return { status: response.status, ...((await response.json()) as { code?: string; storageId?: string }) };
}

/** Expects the upload to be refused with this status and code, and to leave nothing behind. */
async function expectRefusal(attempt: () => Promise<Response>, status: number, code: string) {
  const before = await everything();
  const { message, ...refusal } = (await read(await attempt())) as { message?: string };
  expect(refusal).toEqual({ status, code });
  // The message says what to do, and nothing internal.
  expect(message).toMatch(/; |\. [A-Z]|write /);
  expect(message).not.toMatch(/\/(tmp|src|node_modules)\/|Error:/);
  expect(await everything()).toEqual(before);
}

async function attempt(
  body: BodyInit | null,
  { headers = {}, limits = {} }: { headers?: Record<string, string>; limits?: UploadLimits } = {},
): Promise<Response> {
  return post(await storage.generateUploadUrl(limits), body, headers);
}

const bytesOf = async (storageId = "") => (await storage.get(storageId))?.text();

describe("stores", () => {
  test("the body as it is → 200 with its storage id, and the file has its size, hash and type", async () => {
    const headers = { "Content-Type": "text/plain; charset=utf-8", "Content-Length": String(text.length) };
    const { status, storageId = "" } = await read(await attempt(text, { headers }));
    expect(status).toBe(200);
    expect(await storage.getMetadata(storageId)).toEqual({
      _id: storageId,
      _creationTime: expect.any(Number),
      sha256: hash.copy().digest("hex"),
      size: text.length,
      contentType: "text/plain; charset=utf-8",
    });
    expect(await bytesOf(storageId)).toBe(text);
  });

  test.each<[string, () => BodyInit | null, number]>([
    ["no body", () => null, 0],
    ["an empty body", () => "", 0],
    ["a stream of nothing", () => streamOf(), 0],
    ["a stream of empty pieces", () => streamOf("", "a", "", "b", ""), 2],
    ["bytes of every value", () => Uint8Array.from({ length: 256 }, (_, byte) => byte), 256],
    ["many tiny pieces", () => streamOf(..."x".repeat(3000)), 3000],
    ["a piece of 3 MiB", () => streamOf(new Uint8Array(3 * 2 ** 20)), 3 * 2 ** 20],
    ["what looks like multipart", () => "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--", 55],
  ])("%s → 200", async (_, body, size) => {
    const { status, storageId = "" } = await read(await attempt(body()));
    expect(status).toBe(200);
    expect(await storage.getMetadata(storageId)).toMatchObject({ size });
  });

  test.each([
    ["none", undefined, null],
    ["an empty one", "", null],
    ["spaces", "  ", null],
    ["one", "image/png", "image/png"],
    ["one in capitals", "Image/PNG", "image/png"],
    ["a multipart one", "multipart/form-data; boundary=x", "multipart/form-data; boundary=x"],
  ])("Content-Type, %s → %j", async (_, value, contentType) => {
    const headers: Record<string, string> = value === undefined ? {} : { "Content-Type": value };
    const { storageId = "" } = await read(await attempt(new TextEncoder().encode(text), { headers }));
    expect(await storage.getMetadata(storageId)).toMatchObject({ contentType });
  });

  test.each<[Record<string, string>]>([
    [{ Digest: `sha-256=${base64}` }],
    [{ Digest: `md5=x, SHA-256=${base64}` }],
    [{ "Content-Digest": `sha-256=:${base64}:` }],
    [{ "Repr-Digest": `sha-256=:${base64}:` }],
    [{ Digest: `sha-256=${base64}`, "Content-Digest": `sha-256=:${base64}:`, "Repr-Digest": `sha-256=:${base64}:` }],
    [{ Digest: "sha-512=unknown" }],
  ])("%j → 200", async (headers) => {
    expect(await read(await attempt(text, { headers }))).toMatchObject({ status: 200 });
  });

  test.each<[UploadLimits, BodyInit, Record<string, string>]>([
    [{ maxSize: text.length }, text, {}],
    [{ maxSize: 0 }, "", {}],
    [{ contentTypes: ["image/*"] }, text, { "Content-Type": "image/png" }],
    [{ contentTypes: ["image/*", "text/plain"] }, text, { "Content-Type": "Text/Plain; charset=utf-8" }],
  ])("%j, within the limits → 200", async (limits, body, headers) => {
    expect(await read(await attempt(body, { limits, headers }))).toMatchObject({ status: 200 });
  });
});

describe("refuses, and stores nothing", () => {
  const urls: [string, number, string, (url: string) => string][] = [
    ["no token", 400, "BadQueryArgs", (url) => url.replace(/\?.*/, "")],
    ["an empty token", 400, "BadQueryArgs", (url) => url.replace(/token=.*/, "token=")],
    ["another parameter", 400, "BadQueryArgs", (url) => url.replace("token=", "Token=")],
    ["a token that is none", 401, "StorageTokenInvalid", (url) => url.replace(/token=.*/, "token=x")],
    ["a token of dots", 401, "StorageTokenInvalid", (url) => url.replace(/token=.*/, "token=...")],
    ["a token with a NUL", 401, "StorageTokenInvalid", (url) => url.replace(/token=/, "token=%00")],
    ["a token with a broken escape", 401, "StorageTokenInvalid", (url) => url.replace(/token=/, "token=%ff%")],
    ["a forged payload", 401, "StorageTokenInvalid", (url) => url.replace(/token=./, "token=f")],
    ["a forged signature", 401, "StorageTokenInvalid", (url) => url.replace(/.$/, "_")],
    ["a cut token", 401, "StorageTokenInvalid", (url) => url.slice(0, -1)],
    ["a forged token before the right one", 401, "StorageTokenInvalid", (url) => url.replace("?", "?token=x.y&")],
  ];
  test.each(urls)("%s → %i %s", async (_, status, code, change) => {
    const url = await storage.generateUploadUrl();
    await expectRefusal(() => post(change(url), text), status, code);
  });

  test.each<[Record<string, string>, number, string]>([
    [{ "Content-Type": "image" }, 400, "BadHeader"],
    [{ "Content-Type": "image/png, text/html" }, 400, "BadHeader"],
    [{ "Content-Type": "image/png;, text/html" }, 400, "BadHeader"],
    [{ "Content-Type": `text/plain; x=${"y".repeat(300)}` }, 400, "BadHeader"],
    [{ "Content-Length": "ten" }, 400, "BadHeader"],
    [{ Digest: "sha-256=oops" }, 400, "BadHeader"],
    [{ Digest: base64 }, 400, "BadHeader"],
    [{ "Content-Digest": `sha-256=${base64}` }, 400, "BadHeader"],
    [{ "Repr-Digest": "" }, 400, "BadHeader"],
    [{ Digest: `sha-256=${emptyBase64}` }, 400, "Sha256Mismatch"],
    [{ "Content-Digest": `sha-256=:${emptyBase64}:` }, 400, "Sha256Mismatch"],
    [{ "Repr-Digest": `sha-256=:${emptyBase64}:` }, 400, "Sha256Mismatch"],
    [{ Digest: `sha-256=${base64}`, "Repr-Digest": `sha-256=:${emptyBase64}:` }, 400, "Sha256Mismatch"],
    [{ Digest: `sha-256=${base64}, sha-256=${emptyBase64}` }, 400, "Sha256Mismatch"],
    [{ "Content-Length": String(text.length + 1) }, 400, "IncompleteBody"],
    [{ "Content-Length": String(text.length - 1) }, 400, "IncompleteBody"],
    [{ "Content-Length": "0" }, 400, "IncompleteBody"],
  ])("%j → %i %s", async (headers, status, code) => {
    await expectRefusal(() => attempt(text, { headers }), status, code);
  });

  const png = { contentTypes: ["image/png"] };
  const html = { "Content-Type": "text/html" };
  const two = { "Content-Type": "image/png;, text/html" };
  const limited: [string, number, string, UploadLimits, BodyInit, Record<string, string>][] = [
    ["a size announced", 413, "FileTooLarge", { maxSize: 9 }, text, { "Content-Length": "19" }],
    ["a size found out", 413, "FileTooLarge", { maxSize: 9 }, streamOf("12345", "12345", "12345"), {}],
    ["one byte too many", 413, "FileTooLarge", { maxSize: 18 }, streamOf(text), {}],
    ["a byte where none may be", 413, "FileTooLarge", { maxSize: 0 }, streamOf("1"), {}],
    ["another type", 415, "ContentTypeNotAllowed", png, text, html],
    ["no type", 415, "ContentTypeNotAllowed", png, streamOf(text), {}],
    ["two types", 400, "BadHeader", png, text, two],
  ];
  test.each(limited)("%s → %i %s", async (_, status, code, limits, body, headers) => {
    await expectRefusal(() => attempt(body, { limits, headers }), status, code);
  });

  test.each([
    ["at its start", () => streamOf(new Error("aborted"))],
    ["on its way", () => streamOf("some", new Error("aborted"))],
    ["after megabytes", () => streamOf(new Uint8Array(3 * 2 ** 20), new Error("aborted"))],
  ])("a body that breaks off %s → 400 IncompleteBody", async (_, body) => {
    await expectRefusal(() => attempt(body()), 400, "IncompleteBody");
  });

  test("a body larger than announced is not read to its end → 400", async () => {
    let read = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        read += 1000;
        controller.enqueue(new Uint8Array(1000));
      },
    });
    await expectRefusal(() => attempt(endless, { headers: { "Content-Length": "5000" } }), 400, "IncompleteBody");
    expect(read).toBeLessThan(20_000);
  });
});

describe("a token", () => {
  test("an hour after it was issued → 401; an upload that started before goes on", async () => {
    const url = await storage.generateUploadUrl();
    const other = await storage.generateUploadUrl();
    const issued = Date.now();
    try {
      vi.useFakeTimers({ now: issued + 3_599_000, toFake: ["Date"] });
      const late = streamOf("begun", async () => {
        vi.setSystemTime(issued + 2 * 3_600_000);
        return "ended";
      });
      expect(await read(await post(url, late))).toMatchObject({ status: 200 });
      await expectRefusal(() => post(other, text), 401, "StorageTokenExpired");
    } finally {
      vi.useRealTimers();
    }
  });

  test("used → 409 with the storage id that it made, also when the file is deleted", async () => {
    const url = await storage.generateUploadUrl();
    const { storageId = "" } = await read(await post(url, text));
    const before = await everything();
    const used = { status: 409, code: "StorageTokenUsed", message: expect.any(String), storageId };
    expect(await read(await post(url, text))).toEqual(used);
    expect(await read(await post(url, "other bytes"))).toEqual(used);
    expect(await everything()).toEqual(before);

    await storage.delete(storageId);
    expect(await read(await post(url, text))).toEqual(used);
    expect(await storage.getMetadata(storageId)).toBeNull();
    // Waits for the collection that the delete began. Otherwise the next test would see it.
    await eventually(async () => expect((await everything()).unowned).toEqual([]));
  });

  test("not used, but refused as not unique by a trigger of the app → 500, and may be used again", async () => {
    await prisma.$executeRaw`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE unique_violation; END $$`;
    await prisma.$executeRaw`CREATE TRIGGER refusing BEFORE INSERT ON "_storage" FOR EACH ROW EXECUTE FUNCTION refuse()`;
    const url = await storage.generateUploadUrl();
    const before = await everything();
    try {
      expect((await post(url, text)).status).toBe(500);
      expect(await everything()).toEqual(before);
    } finally {
      await prisma.$executeRaw`DROP TRIGGER refusing ON "_storage"`;
    }
    expect((await post(url, text)).status).toBe(200);
  });

  test("of an upload that failed → may be used again", async () => {
    const url = await storage.generateUploadUrl({ maxSize: 100 });
    expect(await read(await post(url, text, { Digest: `sha-256=${emptyBase64}` }))).toMatchObject({ status: 400 });
    expect(await read(await post(url, streamOf("half", new Error("aborted"))))).toMatchObject({ status: 400 });
    expect(await read(await post(url, "x".repeat(101)))).toMatchObject({ status: 413 });
    expect(await read(await post(url, text))).toMatchObject({ status: 200 });
  });

  test("in several uploads at once → one makes the file, nothing is left of the others", async () => {
    const before = await everything();
    const url = await storage.generateUploadUrl();
    const bodies = ["first", "second", "third", "fourth"];
    let begun = 0;
    let release: () => void = () => undefined;
    const allBegun = new Promise<void>((resolve) => {
      release = resolve;
    });
    const uploads = bodies.map(async (body) => {
      const stream = streamOf(async () => {
        if (++begun === bodies.length) release();
        await allBegun;
        return body;
      });
      return { body, ...(await read(await post(url, stream))) };
    });
    const settled = await Promise.all(uploads);
    const won = settled.filter(({ status }) => status === 200);
    const lost = settled.filter(({ status, code }) => status === 409 && code === "StorageTokenUsed");
    expect([won.length, lost.length]).toEqual([1, 3]);
    const storageId = won[0]?.storageId ?? "";
    expect(lost.map((answer) => answer.storageId)).toEqual([storageId, storageId, storageId]);
    expect(await bytesOf(storageId)).toBe(won[0]?.body);

    const after = await everything();
    expect(after.files.length).toBe(before.files.length + 1);
    expect(after.blobs.length).toBe(before.blobs.length + 1);
    expect(after.unowned).toEqual(before.unowned);
  });
});

describe("a token, expired while two uploads with it were under way", () => {
  test("makes one file, even when that is deleted and swept before the other ends", async () => {
    const url = await storage.generateUploadUrl();
    let endSecond: () => void = () => undefined;
    const secondEnds = new Promise<string>((resolve) => {
      endSecond = () => resolve("second");
    });
    const second = post(
      url,
      streamOf(() => secondEnds),
    );
    const { storageId = "" } = await read(await post(url, "first"));
    await storage.delete(storageId);
    try {
      vi.useFakeTimers({ now: Date.now() + 20 * 3_600_000, toFake: ["Date"] });
      await collectGarbage();
      endSecond();
      expect(await read(await second)).toMatchObject({ status: 409, code: "StorageTokenUsed" });
    } finally {
      vi.useRealTimers();
    }
    expect(await storage.getMetadata(storageId)).toBeNull();
  });
});

describe("other methods", () => {
  test("OPTIONS → 204: any page may upload, with a type and digests", async () => {
    const response = await upload(new Request("http://app.test/api/storage/upload", { method: "OPTIONS" }));
    expect(response.status).toBe(204);
    expect(Object.fromEntries(response.headers)).toEqual({
      ...cors,
      "access-control-allow-headers": "Content-Type, Digest, Content-Digest, Repr-Digest",
      "access-control-allow-methods": "POST",
      "access-control-max-age": "86400",
    });
  });

  test.each([["GET"], ["HEAD"], ["PUT"], ["PATCH"], ["DELETE"]])("%s → 405 with Allow", async (method) => {
    const url = await storage.generateUploadUrl();
    const response = await upload(new Request(url, { method }));
    expect(response.status).toBe(405);
    expect(Object.fromEntries(response.headers)).toEqual({ ...answers, allow: "POST, OPTIONS" });
    expect(await (response.body ? response.json() : null)).toEqual(
      method === "HEAD" ? null : { code: "MethodNotAllowed", message: expect.stringContaining(method) },
    );
    expect(await read(await post(url, text))).toMatchObject({ status: 200 });
  });
});
