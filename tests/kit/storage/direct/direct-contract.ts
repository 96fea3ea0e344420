import { createHash, randomBytes } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../../eventually";
import type { StandIn } from "../../stand-ins/stand-in";

const mebibyte = 1024 * 1024;

interface Store {
  standIn: StandIn;
  /** Blobs, and uploads in parts that are not over. */
  count(): Promise<{ blobs: number; uploads: number }>;
  /** Swaps the bytes of every blob for others. */
  corrupt(bytes: Buffer): Promise<void>;
}

interface Part {
  method: string;
  url: string;
  headers: Record<string, string>;
  size: number;
}

interface Started {
  direct: { parts: Part[]; complete: { url: string; receipt: string } };
}

/**
 * Tests that direct uploads behave the same on every store that supports them. `open` starts the store and sets the
 * environment for it.
 */
export function describeDirect(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    let store: Store;
    let kit: Awaited<ReturnType<typeof load>>;

    beforeAll(async () => {
      store = await open();
      kit = await load();
    });
    beforeEach(async () => {
      store.standIn.intercept = () => undefined;
      await sweepAll();
    });

    const post = async (handle: (request: Request) => Promise<Response>, url: string, body: unknown) => {
      const response = await handle(new Request(url, { method: "POST", body: JSON.stringify(body) }));
      return { status: response.status, body: await response.json() };
    };
    const start = async (url: string, file: object) => post(kit.startDirect, url.replace("?", "/direct?"), file);
    const complete = (receipt: string, answers: string[] = []) =>
      post(kit.completeDirect, "http://app.test/api/storage/upload/complete", { receipt, answers });

    async function send(parts: Part[], bytes: Buffer): Promise<{ statuses: number[]; answers: string[] }> {
      let at = 0;
      const bodies = parts.map(({ size }) => {
        at += size;
        return new Uint8Array(bytes.subarray(at - size, at));
      });
      const responses = await Promise.all(
        parts.map(({ method, url, headers }, index) => fetch(url, { method, headers, body: bodies[index] })),
      );
      const answers = await Promise.all(responses.map((response) => response.text()));
      return { statuses: responses.map(({ status }) => status), answers };
    }

    async function begin(bytes: Buffer, file: object = {}, limits: object = {}) {
      const url = await kit.storage.generateUploadUrl(limits);
      const { body } = await start(url, { size: bytes.length, contentType: "video/mp4", ...file });
      const { parts, complete } = (body as Started).direct;
      return { url, parts, receipt: complete.receipt };
    }

    /** Counts what is in the store, except its id. */
    async function count() {
      const { blobs, uploads } = await store.count();
      return { blobs: blobs - ((await kit.blobs.head(kit.storeIdKey)) ? 1 : 0), uploads };
    }

    /** Makes all listed blobs due, and collects garbage. */
    async function sweepAll() {
      await kit.prisma.storage.findMany().then((files) => Promise.all(files.map(({ id }) => kit.storage.delete(id))));
      // Each deletion has started a collection of its own, which may have taken a blob and not deleted it yet.
      await eventually(async () => {
        await kit.prisma.$executeRaw`UPDATE "_unowned_blobs" SET "deleteAfter" = now()`;
        await kit.deleteUnownedBlobs();
        expect(await count()).toEqual(nothing);
      });
    }

    const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
    const nothing = { blobs: 0, uploads: 0 };

    test("too many begun in a minute, 429 with when to try again, and nothing is begun", async () => {
      const url = await kit.storage.generateUploadUrl();
      const file = { size: 100_000_000, contentType: "video/mp4" };
      // Callers without a known address count as one caller, which may make a hundred times as many calls.
      const limit = vi.spyOn(kit.env, "RATE_LIMIT_UPLOADS", "get").mockReturnValue(0.01);
      await start(url, file);
      const begun = await count();
      const response = await kit.startDirect(
        new Request(url.replace("?", "/direct?"), { method: "POST", body: JSON.stringify(file) }),
      );
      limit.mockRestore();
      expect([response.status, Number(response.headers.get("retry-after"))]).toEqual([429, expect.any(Number)]);
      expect((await response.json()).code).toBe("TooManyRequests");
      expect(await count()).toEqual(begun);
    });

    test("its type is read from the store, and what the app does with new files is scheduled once", async () => {
      const seen = kit.internalMutation({ args: { storageId: kit.storageId() }, handler: () => null });
      const parts = { http: kit.httpRouter(), crons: kit.cronJobs() };
      kit.kit.app({ functions: { files: { seen } }, ...parts, storage: { onStored: [seen], hold: true } });
      const bytes = Buffer.concat([Buffer.from("%PDF-1.7\n"), randomBytes(mebibyte)]);
      const sent = await begin(bytes);
      const { answers } = await send(sent.parts, bytes);
      const { body } = await complete(sent.receipt, answers);
      await complete(sent.receipt, answers);
      kit.kit.app({ functions: {}, ...parts });
      const jobs = await kit.prisma.scheduledFunction.findMany({ where: { name: "files.seen" } });
      expect(jobs.map(({ args }) => args)).toEqual([{ json: { storageId: body.storageId } }]);
      const file = { contentType: "video/mp4", detectedType: "application/pdf", held: true };
      expect(await kit.storage.getMetadata(body.storageId)).toMatchObject(file);
      expect(await kit.storage.getUrl(body.storageId)).toBeNull();
    });

    test.each([
      ["one byte", 1, {}, 1],
      ["less than a part", 3 * mebibyte, {}, 1],
      ["a part", 16 * mebibyte, {}, 1],
      ["two parts and a bit", 33 * mebibyte, {}, 3],
      ["a file without a type", 100, { contentType: "" }, 1],
    ])("%s goes up, and is served as it was", async (_, size, file, count) => {
      const bytes = randomBytes(size);
      const { url, parts, receipt } = await begin(bytes, file);
      expect(parts.map((part) => part.size).reduce((sum, part) => sum + part)).toBe(size);
      expect(parts).toHaveLength(count);
      const { statuses, answers } = await send(parts, bytes);
      expect(statuses).toEqual(parts.map(() => 200));
      const { status, body } = await complete(receipt, answers);
      expect({ status, body }).toEqual({ status: 200, body: { storageId: expect.any(String) } });
      expect(await kit.prisma.storage.findUniqueOrThrow({ where: { id: body.storageId } })).toMatchObject({
        sha256: sha256(bytes),
        size: BigInt(size),
        contentType: "contentType" in file ? null : "video/mp4",
      });
      const blob = await kit.storage.get(body.storageId);
      expect(Buffer.from(await new Response(blob).arrayBuffer()).equals(bytes)).toBe(true);
      // The answer may have been lost. The token cannot be used for other uploads either.
      expect(await complete(receipt, answers)).toMatchObject({ status: 409, body: { storageId: body.storageId } });
      expect(await start(url, { size: 1 })).toMatchObject({ status: 409, body: { code: "StorageTokenUsed" } });
    });

    test("serving: through the app, or by a redirect to the store above the size that is set", async () => {
      const bytes = randomBytes(1000);
      const { parts, receipt } = await begin(bytes, { contentType: "video/mp4" });
      const { answers } = await send(parts, bytes);
      const { body } = await complete(receipt, answers);
      const url = (await kit.storage.getUrl(body.storageId)) ?? "";
      const get = (headers = {}) => kit.serve(new Request(url, { headers }));
      expect((await get({ range: "bytes=10-19" })).status).toBe(206);
      Object.assign(kit.env, { STORAGE_REDIRECT_ABOVE: 1001 });
      expect((await get()).status).toBe(200);
      Object.assign(kit.env, { STORAGE_REDIRECT_ABOVE: 1000 });
      const look = vi.spyOn(kit.blobs, "head");
      expect((await kit.serve(new Request(url, { method: "HEAD" }))).status).toBe(200);
      expect(look).not.toHaveBeenCalled();
      const redirect = await get();
      expect([redirect.status, redirect.headers.get("cache-control")]).toEqual([307, "no-store"]);
      const served = await fetch(redirect.headers.get("location") ?? "", { headers: { range: "bytes=10-19" } });
      expect([served.status, served.headers.get("content-type")]).toEqual([206, "video/mp4"]);
      expect(Buffer.from(await served.arrayBuffer()).equals(bytes.subarray(10, 20))).toBe(true);

      // A file that must not be shown is served as a download by every store that supports that.
      const named = (await kit.storage.getUrl(body.storageId, { downloadAs: "a.mp4" })) ?? "";
      const download = await kit.serve(new Request(named));
      const last = download.status === 307 ? await fetch(download.headers.get("location") ?? "") : download;
      expect(last.headers.get("content-disposition")).toBe('attachment; filename="a.mp4"');
      await kit.storage.delete(body.storageId);
      expect((await get()).status).toBe(404);
      Object.assign(kit.env, { STORAGE_REDIRECT_ABOVE: undefined });
    });

    test("serving: a large file that browsers must not show is redirected too, as a download", async () => {
      const bytes = randomBytes(1000);
      const { parts, receipt } = await begin(bytes, { contentType: "application/zip" });
      const { body } = await complete(receipt, (await send(parts, bytes)).answers);
      Object.assign(kit.env, { STORAGE_REDIRECT_ABOVE: 1000 });
      const sign = vi.spyOn(kit.blobs, "signUrl");
      const redirect = await kit.serve(new Request((await kit.storage.getUrl(body.storageId)) ?? ""));
      Object.assign(kit.env, { STORAGE_REDIRECT_ABOVE: undefined });
      const expires = Number(sign.mock.calls[0]?.[2]);
      expect(expires).toBeGreaterThan(Date.now());
      expect(expires).toBeLessThanOrEqual(Date.now() + 60 * 60 * 1000);
      expect(redirect.status).toBe(307);
      const served = await fetch(redirect.headers.get("location") ?? "");
      expect([served.status, served.headers.get("content-type")]).toEqual([200, "application/zip"]);
      expect(served.headers.get("content-disposition")).toMatch(/^attachment\b/);
      expect(Buffer.from(await served.arrayBuffer()).equals(bytes)).toBe(true);
    });

    test("an announced SHA-256 that is the file's is taken, one that is not is refused", async () => {
      const bytes = randomBytes(mebibyte);
      const right = await begin(bytes, { sha256: sha256(bytes).toUpperCase() });
      const sent = await send(right.parts, bytes);
      expect(await complete(right.receipt, sent.answers)).toMatchObject({ status: 200 });

      const wrong = await begin(bytes, { sha256: sha256(Buffer.from("other")) });
      const { answers } = await send(wrong.parts, bytes);
      const { status, body } = await complete(wrong.receipt, answers);
      expect(status).toBe(400);
      // A store that verifies it has not taken the bytes at all.
      expect(["Sha256Mismatch", "IncompleteBody"]).toContain(body.code);
      expect(await count()).toEqual({ blobs: 1, uploads: 0 });
    });

    test("bytes that became others are refused and removed", async () => {
      const bytes = randomBytes(1000);
      const { parts, receipt } = await begin(bytes);
      const { answers } = await send(parts, bytes);
      await complete(receipt, answers);
      await sweepAll();

      const again = await begin(bytes);
      const sent = await send(again.parts, bytes);
      await kit.blobs.direct?.complete(keyOf(again.receipt), receiptOf(again.receipt), sent.answers);
      await store.corrupt(randomBytes(999));
      expect(await complete(again.receipt, sent.answers)).toMatchObject({
        status: 400,
        body: { code: "IncompleteBody" },
      });
      expect(await count()).toEqual(nothing);
      expect(await complete(again.receipt, sent.answers)).toMatchObject({ status: 400 });
    });

    test("parts that are missing are named, and only they are sent before it is complete", async () => {
      const bytes = randomBytes(33 * mebibyte);
      const { parts, receipt } = await begin(bytes);
      const { answers } = await send(parts.slice(0, 1), bytes);
      const refused = { status: 400, body: { code: "IncompleteBody", missing: [2, 3] } };
      expect(await complete(receipt, answers)).toMatchObject(refused);
      expect((await count()).blobs).toBe(0);
      expect(await kit.prisma.storage.count()).toBe(0);
      const rest = await send(parts.slice(1), bytes.subarray(16 * mebibyte));
      const { status, body } = await complete(receipt, [...answers, ...rest.answers]);
      expect(status).toBe(200);
      const { sha256: stored } = await kit.prisma.storage.findUniqueOrThrow({ where: { id: body.storageId } });
      expect(stored).toBe(sha256(bytes));
    });

    test("parts are signed as they are needed, also those that were signed before", async () => {
      const bytes = randomBytes(33 * mebibyte);
      const { url, parts, receipt } = await begin(bytes, { firstParts: 1 });
      expect(parts).toHaveLength(1);
      const first = await send(parts, bytes);
      const signed = await start(url, { receipt, parts: [1, 2, 3] });
      expect(signed.status).toBe(200);
      const { parts: more, sent } = signed.body as { parts: (Part & { number: number })[]; sent: number[] };
      // Only S3 can list the parts that it has.
      const tells = sent.length > 0;
      expect(more.map(({ number }) => number)).toEqual(tells ? [2, 3] : [1, 2, 3]);
      const rest = await send(more.slice(tells ? 0 : 1), bytes.subarray(16 * mebibyte));
      expect(rest.statuses).toEqual([200, 200]);
      expect(await complete(receipt, [...first.answers, ...rest.answers])).toMatchObject({ status: 200 });
      expect(await start(url, { receipt, parts: [1] })).toMatchObject({
        status: 409,
        body: { code: "StorageTokenUsed" },
      });
    });

    test.each([
      [{ parts: [0] }, "BadQueryArgs"],
      [{ parts: [1001] }, "BadQueryArgs"],
      [{ parts: Array.from({ length: 33 }, () => 1) }, "BadQueryArgs"],
      [{ receipt: "no.receipt", parts: [1] }, "StorageTokenInvalid"],
    ])("refuses to sign %.60j", async (body, code) => {
      const { url, receipt } = await begin(randomBytes(1));
      expect((await start(url, { receipt, ...body })).body.code).toBe(code);
    });

    test.each([
      ["does not allow the page", 403, /CORS/],
      ["is not reached", "cut", /cannot reach/],
    ] as const)(
      "when the store %s, the log and administrators are told why, and nothing is left",
      async (_, intercepted, why) => {
        const log = vi.spyOn(console, "warn").mockImplementation(() => undefined);
        const admin = { id: "admin", name: "", email: "a@b.test", isAdmin: true };
        await kit.prisma.user.upsert({ where: { id: admin.id }, create: admin, update: {} });
        const report = async (owner: string) => {
          const url = kit.createUploadUrl("http://app.test", {}, owner);
          const { body } = await start(url, { size: 20 * mebibyte });
          const { receipt } = (body as Started).direct.complete;
          store.standIn.intercept = ({ method }) => (method === "OPTIONS" ? intercepted : undefined);
          const reported = await start(url, { receipt, unreachable: true });
          store.standIn.intercept = () => undefined;
          return reported;
        };
        const told = { status: 200, body: { reason: expect.stringMatching(why) } };
        expect(await report(`${kit.env.AUTH_OWN_ISSUER}|admin`)).toMatchObject(told);
        expect(await report(`${kit.env.AUTH_OWN_ISSUER}|other`)).toEqual({ status: 200, body: { reason: null } });
        expect(log.mock.calls).toEqual([[expect.stringMatching(why)]]);
        log.mockRestore();
        expect(await count()).toEqual(nothing);
      },
    );

    test("a large blob is checked in slices, over several requests", async () => {
      const bytes = randomBytes(2 * mebibyte);
      const { parts, receipt } = await begin(bytes);
      const { answers } = await send(parts, bytes);
      const limits = { ...kit.limits };
      Object.assign(kit.limits, { hashedAtOnceBytes: mebibyte, hashSliceMs: 0 });
      let answer = await complete(receipt, answers);
      expect(answer).toMatchObject({ status: 423, body: { code: "UploadLocked" } });
      for (let ms = 1; answer.status === 423; ms *= 2) {
        Object.assign(kit.limits, { hashSliceMs: ms });
        answer = await complete(receipt, answers);
      }
      Object.assign(kit.limits, limits);
      const where = { id: answer.body.storageId };
      expect(await kit.prisma.storage.findUniqueOrThrow({ where })).toMatchObject({ sha256: sha256(bytes) });
    });

    test("a file that its owner's quota has no room for any more when it is complete: refused, and removed", async () => {
      const url = kit.createUploadUrl("http://app.test", {}, "test|quota");
      const { body } = await start(url, { size: 10, contentType: "video/mp4" });
      const { parts, complete: completion } = (body as Started).direct;
      const { answers } = await send(parts, Buffer.alloc(10));
      const quota = vi.spyOn(kit.env, "STORAGE_QUOTA", "get").mockReturnValue(9);
      const refused = await complete(completion.receipt, answers);
      quota.mockRestore();
      expect(refused).toMatchObject({ status: 413, body: { code: "FileTooLarge" } });
      await eventually(async () => expect(await count()).toEqual(nothing));
    });

    test("nothing sent: refused", async () => {
      const { receipt } = await begin(randomBytes(10));
      expect(await complete(receipt)).toMatchObject({ status: 400, body: { code: "IncompleteBody" } });
    });

    test("a part may be sent again", async () => {
      const bytes = randomBytes(20 * mebibyte);
      const { parts, receipt } = await begin(bytes);
      await send(parts.slice(0, 1), randomBytes(16 * mebibyte));
      const { answers } = await send(parts, bytes);
      const { body } = await complete(receipt, answers);
      const { sha256: stored } = await kit.prisma.storage.findUniqueOrThrow({ where: { id: body.storageId } });
      expect(stored).toBe(sha256(bytes));
    });

    test("a part of another size is refused by the store", async () => {
      const bytes = randomBytes(100);
      const { parts, receipt } = await begin(bytes);
      const { statuses, answers } = await send(
        parts.map((part) => ({ ...part, size: 101 })),
        randomBytes(101),
      );
      const { status } = await complete(receipt, answers);
      expect([statuses[0] === 200, status]).toEqual([false, 400]);
    });

    test("a completion during which the store fails may be repeated", async () => {
      const bytes = randomBytes(20 * mebibyte);
      const { parts, receipt } = await begin(bytes);
      const { answers } = await send(parts, bytes);
      const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
      store.standIn.intercept = () => 500;
      expect(await complete(receipt, answers)).toMatchObject({ status: 503, body: { code: "StorageUnavailable" } });
      expect(log).toHaveBeenCalled();
      log.mockRestore();
      store.standIn.intercept = () => undefined;
      expect(await complete(receipt, answers)).toMatchObject({ status: 200 });
    });

    test("a connection cut while the bytes are read back is taken up where it was", async () => {
      const bytes = randomBytes(20 * mebibyte);
      const { parts, receipt } = await begin(bytes);
      const { answers } = await send(parts, bytes);
      let cuts = 0;
      store.standIn.intercept = ({ headers }) => (headers.range && cuts++ < 2 ? "cut" : undefined);
      expect(await complete(receipt, answers)).toMatchObject({ status: 200 });
      expect(cuts).toBeGreaterThan(1);
    });

    test.each([[true], [false]])(
      "bytes sent after the completion change nothing; SHA-256 announced: %s",
      async (known) => {
        const bytes = randomBytes(1000);
        const { parts, receipt } = await begin(bytes, known ? { sha256: sha256(bytes) } : {});
        const { answers } = await send(parts, bytes);
        const { body } = await complete(receipt, answers);
        const { statuses } = await send(parts, randomBytes(1000));
        expect(statuses).not.toContain(200);
        const blob = await kit.storage.get(body.storageId);
        expect(Buffer.from(await new Response(blob).arrayBuffer()).equals(bytes)).toBe(true);
      },
    );

    test("completions side by side make one file", async () => {
      const bytes = randomBytes(20 * mebibyte);
      const { parts, receipt } = await begin(bytes);
      const { answers } = await send(parts, bytes);
      const all = await Promise.all([1, 2, 3].map(() => complete(receipt, answers)));
      expect(all.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
      expect([await kit.prisma.storage.count(), await count()]).toEqual([1, { blobs: 1, uploads: 0 }]);
    });

    test("two uploads with one URL make one file, and the other's bytes go", async () => {
      const bytes = randomBytes(1000);
      const url = await kit.storage.generateUploadUrl();
      const started = await Promise.all([1, 2].map(() => start(url, { size: 1000 })));
      const uploads = started.map(({ body }) => (body as Started).direct);
      const sent = await Promise.all(uploads.map(({ parts }) => send(parts, bytes)));
      const statuses: number[] = [];
      for (const [index, upload] of uploads.entries()) {
        statuses.push((await complete(upload.complete.receipt, sent[index]?.answers)).status);
      }
      expect(statuses).toEqual([200, 409]);
      await kit.prisma.$executeRaw`UPDATE "_unowned_blobs" SET "deleteAfter" = now()`;
      await kit.deleteUnownedBlobs();
      expect(await count()).toEqual({ blobs: 1, uploads: 0 });
    });

    test("an abandoned upload is swept, its parts too", async () => {
      const { parts } = await begin(randomBytes(20 * mebibyte));
      await send(parts.slice(0, 1), randomBytes(16 * mebibyte));
      await sweepAll();
      expect(await count()).toEqual(nothing);
    });

    test("bytes written again after the file is deleted are swept", async () => {
      const bytes = randomBytes(100);
      const { parts, receipt } = await begin(bytes, { sha256: sha256(bytes) });
      const { answers } = await send(parts, bytes);
      const { body } = await complete(receipt, answers);
      await kit.storage.delete(body.storageId);
      await kit.deleteUnownedBlobs();
      await send(parts, bytes);
      await sweepAll();
      expect(await count()).toEqual(nothing);
    });

    test.each([
      [{ maxSize: 99 }, { size: 100 }, 413, "FileTooLarge"],
      [{ contentTypes: ["image/*"] }, { size: 1, contentType: "video/mp4" }, 415, "ContentTypeNotAllowed"],
      [{ contentTypes: ["image/*"] }, { size: 1 }, 415, "ContentTypeNotAllowed"],
      [{}, { size: -1 }, 400, "BadQueryArgs"],
      [{}, { size: 1.5 }, 400, "BadQueryArgs"],
      [{}, { size: "1" }, 400, "BadQueryArgs"],
      [{}, {}, 400, "BadQueryArgs"],
      [{}, { size: 1, contentType: "no type" }, 400, "BadQueryArgs"],
      [{}, { size: 1, sha256: "abc" }, 400, "BadQueryArgs"],
      [{}, { size: 1, contentType: "x".repeat(2 ** 20) }, 413, "FileTooLarge"],
    ])("a URL with %j refuses %.80j with %i %s", async (limits, file, status, code) => {
      const url = await kit.storage.generateUploadUrl(limits);
      expect(await start(url, file)).toMatchObject({ status, body: { code, message: expect.any(String) } });
      expect(await count()).toEqual(nothing);
    });

    test("an empty file has no direct way", async () => {
      expect(await start(await kit.storage.generateUploadUrl(), { size: 0 })).toEqual({
        status: 200,
        body: { direct: null },
      });
    });

    test("receipts that are not ours, and expired ones, are refused", async () => {
      const { receipt } = await begin(randomBytes(1));
      const forged = `${receipt.slice(0, -1)}${receipt.endsWith("A") ? "B" : "A"}`;
      expect(await complete(forged)).toMatchObject({ status: 401, body: { code: "StorageTokenInvalid" } });
      vi.useFakeTimers({ now: Date.now() + 24 * 3_600_000 + 1, toFake: ["Date"] });
      expect(await complete(receipt)).toMatchObject({ status: 401, body: { code: "StorageTokenExpired" } });
      vi.useRealTimers();
    });
  });
}

const receiptOf = (receipt: string) => JSON.parse(Buffer.from(receipt.split(".")[0] ?? "", "base64url").toString());
const keyOf = (receipt: string): string => receiptOf(receipt).blobKey;

/** Modules that read the environment, loaded once it is set. */
async function load() {
  const [kit, database, direct, garbage, blobs, env, limits, serve, storeId, tokens, app, server] = await Promise.all([
    import("../kit"),
    import("~/kit/database/database"),
    import("~/kit/storage/direct-upload"),
    import("~/kit/storage/garbage-collection"),
    import("~/kit/storage/blobs"),
    import("~/kit/process/env"),
    import("~/kit/process/limits"),
    import("~/kit/storage/serve"),
    import("~/kit/storage/store-id"),
    import("~/kit/storage/tokens"),
    import("~/kit"),
    import("~/kit/server"),
  ]);
  return {
    ...kit,
    ...database,
    ...direct,
    ...garbage,
    ...blobs,
    ...env,
    ...limits,
    ...serve,
    ...storeId,
    ...tokens,
    ...app,
    ...server,
  };
}
