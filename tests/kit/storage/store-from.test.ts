import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import type { StoreFromOptions } from "~/kit/storage/storage";
import { everything, storage } from "./kit";

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** A web server on loopback. Returns its URL, under a name of the public internet. */
async function site(listener: RequestListener, name = "files.test") {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return `http://${name}:${(server.address() as AddressInfo).port}`;
}

const everyPort = Array.from({ length: 65_536 }, (_, port) => port);
/** Treats loopback as public. */
const trusting = { resolve: async () => ["127.0.0.1"], isAllowed: () => true, ports: everyPort };
const storeFrom = (url: string, options: Partial<StoreFromOptions> = {}) =>
  storage.storeFrom(url, { maxSize: 1_000, ...trusting, ...options });

const serving =
  (body: string | Buffer, headers: Record<string, string> = {}): RequestListener =>
  (_, response) =>
    response.writeHead(200, headers).end(body);

let before: Awaited<ReturnType<typeof everything>>;
beforeEach(async () => {
  before = await everything();
});

/** Stores nothing, and leaves nothing behind. */
async function expectRefusal(stored: Promise<string>, message: string | RegExp): Promise<void> {
  await expect(stored).rejects.toThrow(message);
  expect(await everything()).toEqual(before);
}

describe("ctx.storage.storeFrom", () => {
  test("stores the bytes with the type that the server says", async () => {
    const id = await storeFrom(await site(serving("a,b", { "content-type": "text/csv; charset=utf-8" })));
    expect(await (await storage.get(id))?.text()).toBe("a,b");
    expect(await storage.getMetadata(id)).toMatchObject({ size: 3, contentType: "text/csv; charset=utf-8" });
  });

  test.each([
    ["no type", {}],
    ["a type that is not one", { "content-type": "nonsense" }],
  ])("stores a file of %s without a type", async (_, headers) => {
    const id = await storeFrom(await site(serving("abc", headers)));
    expect((await storage.getMetadata(id))?.contentType).toBeNull();
  });

  test("stores an empty file, and one without an announced length", async () => {
    const empty = await storeFrom(await site(serving("")));
    const chunked = await storeFrom(
      await site((_, response) => {
        response.write("abc");
        response.end("def");
      }),
    );
    const sizes = await Promise.all([empty, chunked].map(async (id) => (await storage.getMetadata(id))?.size));
    expect(sizes).toEqual([0, 6]);
  });

  test("takes a type that a pattern allows, and refuses others", async () => {
    const url = await site(serving("abc", { "content-type": "image/png" }));
    await storeFrom(url, { contentTypes: ["image/*"] });
    before = await everything();
    await expectRefusal(storeFrom(url, { contentTypes: ["video/*"] }), "is image/png, not video/*");
    const untyped = await site(serving("abc"));
    await expectRefusal(storeFrom(untyped, { contentTypes: ["image/*"] }), "is of no known type, not image/*");
  });

  test.each<[string, RequestListener, RegExp]>([
    ["too large, announced", serving("a".repeat(1_001)), /larger than 1000 bytes/],
    [
      "too large, found out on the way",
      (_, response) => {
        response.write("a".repeat(900));
        response.end("a".repeat(900));
      },
      /larger than 1000 bytes/,
    ],
    [
      "cut off",
      (_, response) => void response.writeHead(200, { "content-length": "9" }).write("abc", () => response.destroy()),
      /broke off/,
    ],
    ["compressed although nobody asked for it", serving("x", { "content-encoding": "gzip" }), /compressed/],
    ["answered with an error", (_, response) => response.writeHead(500).end(), /answers 500/],
    [
      "redirected to a private host",
      (_, response) => response.writeHead(302, { location: "http://10.0.0.1/" }).end(),
      /10.0.0.1 is not on the public/,
    ],
  ])("refuses a file that is %s, and leaves nothing", async (_, listener, message) => {
    const isAllowed = (address: string) => address === "127.0.0.1";
    await expectRefusal(storeFrom(await site(listener), { isAllowed }), message);
  });

  test.each([
    ["loopback", "http://127.0.0.1:1/"],
    ["a private host", "http://10.0.0.1/"],
    ["a cloud's metadata", "http://169.254.169.254/latest/meta-data/"],
    ["a file of the server", "file:///etc/passwd"],
    ["no URL", "nonsense"],
  ])("refuses %s", async (_, url) => {
    await expect(storage.storeFrom(url, { maxSize: 1_000 })).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("ends when its signal is aborted, and leaves nothing", async () => {
    const stop = new AbortController();
    const url = await site((_, response) => {
      response.write("a".repeat(100), () => stop.abort());
    });
    await expectRefusal(storeFrom(url, { signal: stop.signal }), /Cannot fetch|broke off/);
  });

  test("sends its headers to the URL's origin, and to no other one", async () => {
    const seen: (string | undefined)[] = [];
    const note: RequestListener = (request, response) => {
      seen.push(request.headers.authorization);
      response.end("abc");
    };
    const other = await site(note);
    const first = await site((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(302, { location: request.url === "/" ? "/again" : other }).end();
    });
    await storeFrom(first, { headers: { Authorization: "Bearer secret" } });
    expect(seen).toEqual(["Bearer secret", "Bearer secret", undefined]);
  });

  test("belongs to the caller, as an upload does", async () => {
    const ann = { tokenIdentifier: "test|ann", subject: "ann", issuer: "test" };
    const ofAnn = actionCtx({ ...createSystemContext(), identity: async () => ann }).storage;
    const id = await ofAnn.storeFrom(await site(serving("abc")), { maxSize: 3, ...trusting });
    expect((await prisma.storage.findUniqueOrThrow({ where: { id } })).owner).toBe("test|ann");
  });
});
