import { createHash } from "node:crypto";
import { once } from "node:events";
import { appendFile, truncate } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { toNodeHandler } from "~/kit/http/node-adapter";
import { serve } from "~/kit/storage/serve";
import { upload } from "~/kit/storage/upload";
import { eventually } from "../eventually";
import { everything, openFiles, storage, streamOf, uploadFile } from "../storage/kit";
import { dial, type RawClient } from "./raw-client";

// Sets this before the environment is first imported and read.
vi.hoisted(() => {
  process.env.UPLOAD_STALL_TIMEOUT = "300";
});

const mebibyte = 2 ** 20;
const [uploadHandler, serveHandler] = [toNodeHandler(upload), toNodeHandler(serve)];
const underWay = new Set<Promise<void>>();
const server = createServer((req, res) => {
  const handle = req.url?.includes("/api/storage/upload") ? uploadHandler : serveHandler;
  const answer = handle(req, res).finally(() => underWay.delete(answer));
  underWay.add(answer);
});
let port: number;
const clients: RawClient[] = [];

beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  port = (server.address() as AddressInfo).port;
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
afterAll(() => void server.close().closeAllConnections());

async function connect(): Promise<RawClient> {
  const client = await dial(port);
  clients.push(client);
  return client;
}

/** The URL as this server has it. */
const here = (url: string | null) => (url ?? "").replace("http://app.test", `http://127.0.0.1:${port}`);
const pathOf = (url: string | null) => (url ?? "").replace("http://app.test", "");
const uploadPath = async () => pathOf(await storage.generateUploadUrl());
const filePath = async (storageId: string) => pathOf(await storage.getUrl(storageId));
const head = (start: string, ...lines: string[]) =>
  `${[`${start} HTTP/1.1`, "Host: app.test", ...lines].join("\r\n")}\r\n\r\n`;
const json = (body: Buffer) => JSON.parse(body.toString()) as { code?: string; storageId?: string };

/** Expects nothing to be stored once whatever is under way has ended. */
async function expectUnchanged(before: Awaited<ReturnType<typeof everything>>): Promise<void> {
  await Promise.all(underWay);
  expect(await everything()).toEqual(before);
}

describe("an upload", () => {
  test.each([
    ["in one write", ["Content-Length: 10"], ["0123456789"]],
    ["byte by byte", ["Content-Length: 10"], [..."0123456789"]],
    ["in chunks", ["Transfer-Encoding: chunked"], ["4\r\n0123\r\n", "6;ext=1\r\n456789\r\n", "0\r\n\r\n"]],
    ["in chunks with a trailer", ["Transfer-Encoding: chunked"], ["A\r\n0123456789\r\n0\r\nDigest: x\r\n\r\n"]],
    ["without a body", [], []],
  ])("%s → 200", async (_, lines, pieces) => {
    const client = await connect();
    client.write(head(`POST ${await uploadPath()}`, ...lines));
    for (const piece of pieces) client.write(piece);
    const { status, body } = await client.response();
    expect(status).toBe(200);
    const file = await storage.get(json(body).storageId ?? "");
    expect(await file?.text()).toBe(pieces.length > 0 ? "0123456789" : "");
  });

  test("by fetch, of 6 MiB in chunks → 200 with all its bytes", async () => {
    const piece = new Uint8Array(mebibyte).fill(7);
    const body = streamOf(...Array.from({ length: 6 }, () => piece));
    const init: RequestInit & { duplex: "half" } = { method: "POST", body, duplex: "half" };
    const response = await fetch(here(await storage.generateUploadUrl()), init);
    const { storageId } = (await response.json()) as { storageId: string };
    const hash = createHash("sha256");
    for (let n = 0; n < 6; n++) hash.update(piece);
    expect(await storage.getMetadata(storageId)).toMatchObject({ size: 6 * mebibyte, sha256: hash.digest("hex") });
  });

  test("with Expect: 100-continue → 100, then 200", async () => {
    const client = await connect();
    client.write(head(`POST ${await uploadPath()}`, "Content-Length: 4", "Expect: 100-continue"));
    expect((await client.response()).status).toBe(100);
    client.write("body");
    expect((await client.response()).status).toBe(200);
  });

  test("two on one connection → 200, 200", async () => {
    const client = await connect();
    for (const text of ["first", "other"]) {
      client.write(`${head(`POST ${await uploadPath()}`, "Content-Length: 5")}${text}`);
      expect((await client.response()).status).toBe(200);
    }
  });
});

describe("an upload that is refused", () => {
  const early: [string, number, string, () => Promise<string>, string[]][] = [
    ["a forged token", 401, "StorageTokenInvalid", async () => "/api/storage/upload?token=x.y", []],
    ["a malformed header", 400, "BadHeader", uploadPath, ["Digest: oops"]],
    ["a size too large", 413, "FileTooLarge", async () => pathOf(await storage.generateUploadUrl({ maxSize: 10 })), []],
    [
      "a type not allowed",
      415,
      "ContentTypeNotAllowed",
      async () => pathOf(await storage.generateUploadUrl({ contentTypes: ["image/*"] })),
      ["Content-Type: text/html"],
    ],
    [
      "a used token",
      409,
      "StorageTokenUsed",
      async () => {
        const url = await storage.generateUploadUrl();
        await fetch(here(url), { method: "POST", body: "first" });
        return pathOf(url);
      },
      [],
    ],
  ];

  test.each(early)("%s → %i %s before the body; then the connection goes on", async (_, status, code, path, lines) => {
    const client = await connect();
    // The server must treat the following bytes as the body, not as requests.
    const body = head("GET /api/storage/smuggled").repeat(20_000);
    client.write(head(`POST ${await path()}`, `Content-Length: ${body.length}`, ...lines));
    const refusal = await client.response();
    expect([refusal.status, json(refusal.body).code]).toEqual([status, code]);
    client.write(body);
    client.write(head(`HEAD ${await filePath(await uploadFile("next"))}`));
    const next = await client.response("HEAD");
    expect([next.status, next.headers.get("content-length")]).toEqual([200, "4"]);
  });

  test.each(early)("%s → %i %s before the body, also where the connection closes", async (...refusal) => {
    const [, status, code, path, lines] = refusal;
    const client = await connect();
    client.write(head(`POST ${await path()}`, "Connection: close", "Content-Length: 12582912", ...lines));
    const answer = await client.response();
    expect([answer.status, json(answer.body).code]).toEqual([status, code]);
    client.close();
  });

  test.each(early)("%s → %i %s reaches fetch, which is still sending 8 MiB", async (_, status, code, path, lines) => {
    const before = await everything();
    const headers = new Headers(lines.map((line) => line.split(": ") as [string, string]));
    const body = new Uint8Array(8 * mebibyte);
    const response = await fetch(`http://127.0.0.1:${port}${await path()}`, { method: "POST", body, headers });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
    if (status !== 409) await expectUnchanged(before);
  });

  test.each(early)("%s → %i %s reaches a client that reads only when it has sent all", async (...refusal) => {
    const [, status, code, path, lines] = refusal;
    const client = await connect();
    const size = 20 * mebibyte;
    client.socket.pause();
    client.write(head(`POST ${await path()}`, `Content-Length: ${size}`, "Connection: close", ...lines));
    await new Promise<void>((resolve, reject) => {
      client.socket.write(new Uint8Array(size), (error) => (error ? reject(error) : resolve()));
    });
    client.socket.resume();
    const { status: received, body } = await client.response();
    expect([received, json(body).code]).toEqual([status, code]);
  });

  test("a size found out on the way → 413 reaches a client that goes on sending, and its connection goes on", async () => {
    const before = await everything();
    const client = await connect();
    const path = pathOf(await storage.generateUploadUrl({ maxSize: 3 * mebibyte }));
    client.write(head(`POST ${path}`, "Transfer-Encoding: chunked"));
    const chunk = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(mebibyte, "x"), Buffer.from("\r\n")]);
    for (let n = 0; n < 10; n++) client.write(chunk);
    const refusal = await client.response();
    expect([refusal.status, json(refusal.body).code]).toEqual([413, "FileTooLarge"]);
    for (let n = 0; n < 10; n++) client.write(chunk);
    client.write("0\r\n\r\n");
    await expectUnchanged(before);
    client.write(head("GET /api/storage/next"));
    expect((await client.response()).status).toBe(400);
  });

  test("a client that stops sending → 408, and the connection ends; nothing is stored", async () => {
    const before = await everything();
    const client = await connect();
    client.write(`${head(`POST ${await uploadPath()}`, "Content-Length: 10")}01234`);
    const { status, headers, body } = await client.response();
    expect([status, json(body).code, headers.get("connection")]).toEqual([408, "RequestTimeout", "close"]);
    expect((await client.rest()).length).toBe(0);
    await expectUnchanged(before);
  });
});

describe("a client that goes away", () => {
  test.each<[string, string[], string, (client: RawClient) => void]>([
    ["in the middle of the body", ["Content-Length: 5000000"], "x".repeat(3_000_000), (client) => client.close()],
    ["by half, in the body", ["Content-Length: 5000000"], "x".repeat(3_000_000), (client) => client.socket.end()],
    ["before the body", ["Content-Length: 10"], "", (client) => client.close()],
    ["with a reset", ["Content-Length: 5000000"], "x".repeat(500_000), (client) => client.socket.resetAndDestroy()],
    ["between chunks", ["Transfer-Encoding: chunked"], "4\r\nbody\r\n", (client) => client.close()],
    ["by half, between chunks", ["Transfer-Encoding: chunked"], "4\r\nbody\r\n", (client) => client.socket.end()],
    ["within a chunk", ["Transfer-Encoding: chunked"], "ffff\r\nbody", (client) => client.close()],
  ])("%s of an upload: nothing is stored, no file stays open", async (_, lines, body, leave) => {
    const before = await everything();
    const url = await storage.generateUploadUrl();
    const uploads = Array.from({ length: 3 }, async () => {
      const client = await connect();
      client.write(head(`POST ${pathOf(url)}`, ...lines) + body);
      // The upload is under way once it is listed. Otherwise it was refused.
      await eventually(async () => expect((await everything()).unowned.length).toBeGreaterThan(0));
      leave(client);
    });
    await Promise.all(uploads);
    await expectUnchanged(before);
    await eventually(async () => expect(await openFiles()).toBe(0));
    const response = await fetch(here(url), { method: "POST", body: "again" });
    expect(response.status).toBe(200);
  });

  test.each<[string, (client: RawClient) => Promise<unknown>]>([
    ["before the answer", async () => undefined],
    ["after the first bytes", async (client) => once(client.socket, "data")],
  ])("%s of a download: no file stays open", async (_, until) => {
    const path = await filePath(await storage.store(streamOf(new Uint8Array(20 * mebibyte))));
    const downloads = Array.from({ length: 10 }, async () => {
      const client = await connect();
      client.write(head(`GET ${path}`));
      await until(client);
      client.close();
    });
    await Promise.all(downloads);
    await eventually(async () => expect(await openFiles()).toBe(0));
  });

  test("before its body is read: the body breaks off", async () => {
    const text = vi.fn();
    const slow = createServer((req, res) => {
      const handle = async (request: Request) => {
        await once(res, "close");
        return request.text().then(text, (error) => new Response(String(error)));
      };
      void toNodeHandler(handle)(req, res).then(text);
    });
    await once(slow.listen(0, "127.0.0.1"), "listening");
    const client = await dial((slow.address() as AddressInfo).port);
    client.write(head("POST /", "Content-Length: 10"));
    await once(slow, "request");
    client.close();
    await eventually(() => expect(text).toHaveBeenCalledOnce());
    slow.close();
  });

  test("while the handler is at work: what it answers with is given up", async () => {
    const cancelled = vi.fn();
    let answer: (response: Response) => void = () => undefined;
    const answered = new Promise<Response>((resolve) => {
      answer = resolve;
    });
    const slow = createServer((req, res) => void toNodeHandler(() => answered)(req, res)).listen(0, "127.0.0.1");
    await once(slow, "listening");
    const client = await dial((slow.address() as AddressInfo).port);
    client.write(head("GET /"));
    const [, res] = await once(slow, "request");
    client.close();
    await once(res, "close");
    answer(new Response(new ReadableStream({ cancel: cancelled })));
    await eventually(() => expect(cancelled).toHaveBeenCalledOnce());
    slow.close();
  });

  test("between two pieces of an answer: nobody waits for the second to be sent", async () => {
    let pieces = 0;
    const ended = vi.fn();
    const slow = createServer((req, res) => {
      const body = new ReadableStream({
        pull(controller) {
          // Node.js reports the end of the connection a moment later, and drops what is written in between.
          if (++pieces === 2) res.socket?.destroy();
          controller.enqueue(new Uint8Array(10));
        },
      });
      const response = new Response(body, { headers: { "Content-Length": "30" } });
      void toNodeHandler(async () => response)(req, res).then(ended);
    }).listen(0, "127.0.0.1");
    await once(slow, "listening");
    const client = await dial((slow.address() as AddressInfo).port);
    client.write(head("GET /"));
    await client.rest();
    await eventually(() => expect(ended).toHaveBeenCalledOnce());
    slow.close();
  });
});

describe("a download", () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 251));
  let path: string;
  beforeAll(async () => {
    path = await filePath(await uploadFile(bytes, "image/png"));
  });

  test("GET, HEAD, a range, 304, 416 and GET again on one connection", async () => {
    const client = await connect();
    client.write(head(`GET ${path}`));
    const whole = await client.response();
    expect([whole.status, whole.body.equals(bytes), whole.headers.get("content-length")]).toEqual([
      200,
      true,
      "300000",
    ]);
    expect(whole.headers.has("transfer-encoding")).toBe(false);

    client.write(head(`HEAD ${path}`));
    const headers = await client.response("HEAD");
    const dated = ({ headers }: { headers: Headers }) =>
      [...headers].filter(([name]) => name !== "date" && name !== "x-request-id");
    expect([headers.status, dated(headers)]).toEqual([200, dated(whole)]);

    client.write(head(`GET ${path}`, "Range: bytes=299990-"));
    const part = await client.response();
    expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 299990-299999/300000"]);
    expect(part.body.equals(bytes.subarray(299_990))).toBe(true);

    client.write(head(`GET ${path}`, `If-None-Match: ${whole.headers.get("etag")}`));
    expect((await client.response()).status).toBe(304);
    client.write(head(`GET ${path}`, "Range: bytes=300000-"));
    expect((await client.response()).status).toBe(416);
    client.write(head(`HEAD ${path}x`));
    expect((await client.response("HEAD")).status).toBe(400);

    client.write(head(`GET ${path}`));
    expect((await client.response()).body.equals(bytes)).toBe(true);
  });

  test("several asked for at once are answered in turn", async () => {
    const client = await connect();
    client.write([0, 1, 2].map((n) => head(`GET ${path}`, `Range: bytes=${n}-${n + 9}`)).join(""));
    for (const n of [0, 1, 2]) expect((await client.response()).body.equals(bytes.subarray(n, n + 10))).toBe(true);
  });

  test("by a client that reads slowly → all the bytes, and no warning", async () => {
    const warned = vi.fn();
    process.on("warning", warned);
    const big = Buffer.alloc(8 * mebibyte, "0123456789abcde");
    const client = await connect();
    client.socket.pause();
    client.write(head(`GET ${await filePath(await uploadFile(big))}`));
    const pumping = setInterval(() => (client.socket.isPaused() ? client.socket.resume() : client.socket.pause()), 1);
    const { body } = await client.response();
    clearInterval(pumping);
    expect(body.equals(big)).toBe(true);
    expect(warned).not.toHaveBeenCalled();
    process.off("warning", warned);
  });

  test.each<[string, number, (file: string) => Promise<void>]>([
    ["shorter than its row", 700_000, (file) => truncate(file, 200_000)],
    ["longer than its row", 300_000, (file) => appendFile(file, "more")],
    ["longer by far", 700_000, (file) => appendFile(file, new Uint8Array(mebibyte))],
  ])("of a blob %s → at most the bytes announced, and nobody waits for more", async (_, size, change) => {
    const log = vi.spyOn(console, "error").mockReturnValue();
    const bytes = new Uint8Array(size);
    const storageId = await uploadFile(bytes);
    const { blobKey } = await prisma.storage.findUniqueOrThrow({ where: { id: storageId }, omit: { blobKey: false } });
    await change(`${process.env.STORAGE_DISK_PATH}/blobs/${blobKey.slice(-2)}/${blobKey}`);
    const client = await connect();
    client.write(head(`GET ${await filePath(storageId)}`, "Connection: close"));
    const received = (await client.rest()).toString("latin1");
    expect(received.slice(received.indexOf("\r\n\r\n") + 4).length).toBeLessThanOrEqual(bytes.length);
    expect(log).toHaveBeenCalledOnce();
    log.mockRestore();
  });

  test("leaves no timer behind", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const client = await connect();
    const download = async () => {
      client.write(head(`GET ${path}`));
      await client.response();
    };
    await download();
    const before = timers();
    for (let n = 0; n < 20; n++) await download();
    expect(timers()).toBeLessThanOrEqual(before + 1);
  });
});

describe("behind Next.js, which compresses what it may", () => {
  const compression = createRequire(import.meta.url)("next/dist/compiled/compression");
  const compressed = createServer((req, res) => {
    compression()(req, res, () => server.emit("request", req, res));
  });
  let origin: string;
  beforeAll(async () => {
    await once(compressed.listen(0, "127.0.0.1"), "listening");
    origin = `http://127.0.0.1:${(compressed.address() as AddressInfo).port}`;
  });
  afterAll(() => void compressed.close().closeAllConnections());

  test("an answer, an error and a file reach the client, and the file as it is", async () => {
    const stored = await fetch(origin + (await uploadPath()), { method: "POST", body: "x" });
    expect(await stored.json()).toEqual({ storageId: expect.any(String) });
    const refused = await fetch(`${origin}/api/storage/x`);
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([400, "InvalidStoragePath"]);
    const text = "compressible ".repeat(100_000);
    const file = await fetch(origin + (await filePath(await uploadFile(text, "text/plain"))));
    expect([file.headers.get("content-length"), file.headers.get("content-encoding")]).toEqual(["1300000", null]);
    expect(await file.text()).toBe(text);
  });
});

describe("a request that is not quite one", () => {
  const chunked = "Transfer-Encoding: chunked";
  test.each([
    ["both lengths", ["Content-Length: 4", chunked], "0\r\n\r\n"],
    ["two lengths", ["Content-Length: 4", "Content-Length: 5"], "body!"],
    ["a list of lengths", ["Content-Length: 4, 4"], "body"],
    ["a signed length", ["Content-Length: +4"], "body"],
    ["a length in hex", ["Content-Length: 0x4"], "body"],
    ["a huge length", [`Content-Length: ${"9".repeat(30)}`], "body"],
    ["a space before the colon", ["Content-Length : 4"], "body"],
    ["chunked, but not last", ["Transfer-Encoding: chunked, identity"], "0\r\n\r\n"],
    ["a chunk without a size", [chunked], "\r\nbody\r\n0\r\n\r\n"],
    ["a chunk of a negative size", [chunked], "-4\r\nbody\r\n0\r\n\r\n"],
    ["a chunk of a huge size", [chunked], `${"f".repeat(17)}\r\nbody\r\n0\r\n\r\n`],
    ["a chunk longer than its size", [chunked], "3\r\nbody\r\n0\r\n\r\n"],
    ["a header over two lines", ["X-A: b\r\n c"], ""],
    ["a NUL in a header", ["X-A: b\0c"], ""],
  ])("%s → an error, the connection ends, nothing is stored", async (_, lines, body) => {
    const before = await everything();
    const client = await connect();
    client.write(head(`POST ${await uploadPath()}`, ...lines) + body);
    const { status } = await client.response();
    expect([400, 413, 501]).toContain(status);
    client.socket.end();
    await client.rest();
    await expectUnchanged(before);
  });

  test.each([
    ["TRACE", "/api/storage/upload?token=x", "POST, OPTIONS"],
    ["TRACE", "/api/storage/x", "GET, HEAD, OPTIONS"],
    ["PROPFIND", "/api/storage/x", "GET, HEAD, OPTIONS"],
    ["M-SEARCH", "/api/storage/upload", "POST, OPTIONS"],
  ])("%s %s → 405 with Allow", async (method, target, allow) => {
    const client = await connect();
    client.write(head(`${method} ${target}`));
    const { status, headers } = await client.response();
    expect([status, headers.get("allow")]).toEqual([405, allow]);
  });

  test("a target in absolute form → as its path (RFC 9112 §3.2.2)", async () => {
    const client = await connect();
    client.write(head(`GET http://else.test${await filePath(await uploadFile("absolute"))}`));
    const { status, body } = await client.response();
    expect([status, body.toString()]).toEqual([200, "absolute"]);
  });

  test.each([
    ["//"],
    ["//["],
    ["/\\"],
    ["/%"],
    ["*"],
    ["http://["],
    ["/api/storage/%00/%0d%0aX:1"],
    ["/?".padEnd(8000, "?")],
  ])("target %.20s → 400", async (target) => {
    const client = await connect();
    client.write(head(`GET ${target}`));
    expect((await client.response()).status).toBe(400);
  });

  test("headers beyond all measure → 431", async () => {
    const client = await connect();
    client.write(head("GET /", `X-A: ${"a".repeat(20_000)}`));
    expect((await client.response()).status).toBe(431);
  });
});
