import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { clientNetwork } from "~/kit/http/client-address";
import { watchConnections } from "~/kit/http/watch-connections";
import { limits } from "~/kit/process/limits";
import { eventually } from "../eventually";
import { dial, type RawClient } from "./raw-client";

type Handler = (req: IncomingMessage, res: ServerResponse) => void;
let handle: Handler = (_, res) => res.end();
const server = createServer((req, res) => handle(req, res));
const clients: RawClient[] = [];
const original = { ...limits };

async function connect(): Promise<RawClient> {
  const client = await dial((server.address() as AddressInfo).port);
  clients.push(client);
  return client;
}

/** Whether the server has ended the connection. */
const isCut = async (client: RawClient) => Boolean(await Promise.race([client.rest().then(() => true), later()]));
const later = () => new Promise((resolve) => setTimeout(resolve, 3_000, false));

const readAll: Handler = (req, res) => req.resume().once("end", () => res.end("read"));
const readNothing: Handler = (_, res) => res.end("refused");

beforeAll(async () => {
  watchConnections();
  await once(server.listen(0, "127.0.0.1"), "listening");
});
afterEach(() => {
  Object.assign(limits, original);
  vi.restoreAllMocks();
  for (const client of clients.splice(0)) client.close();
});
afterAll(() => void server.close().closeAllConnections());

describe("a request of any route", () => {
  test("is never a TRACE, with which Next.js fails", async () => {
    handle = (req, res) => res.end(req.method);
    const client = await connect();
    client.write("TRACE /page HTTP/1.1\r\nHost: a\r\n\r\n");
    expect((await client.response()).body.toString()).toBe("UNKNOWN");
  });

  test("whose body stops coming is answered 408, and its connection ended", async () => {
    Object.assign(limits, { bodyStallMs: 200 });
    handle = readAll;
    const client = await connect();
    client.write("POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    expect((await client.response()).status).toBe(408);
    expect(await isCut(client)).toBe(true);
  });

  test("whose body comes too slowly is answered 408, though it never stops", async () => {
    Object.assign(limits, { bodyStallMs: 1_500, bodyBytesPerSecond: 1_000 });
    handle = readAll;
    const client = await connect();
    client.write("POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    const drip = setInterval(() => client.write("."), 100);
    expect((await client.response()).status).toBe(408);
    clearInterval(drip);
  });

  test("that is answered before its body has come is cut off when the rest does not come", async () => {
    Object.assign(limits, { bodyStallMs: 200 });
    handle = readNothing;
    const client = await connect();
    client.write("POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    expect((await client.response()).status).toBe(200);
    expect(await isCut(client)).toBe(true);
  });

  test("that the server takes its time with is left alone", async () => {
    Object.assign(limits, { bodyStallMs: 200, unreadResponseMs: 200 });
    handle = (req, res) => void setTimeout(() => readAll(req, res), 2_500);
    const client = await connect();
    client.write("POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345");
    expect((await client.response()).status).toBe(200);
  });

  test("that was answered leaves its connection open for the next", async () => {
    Object.assign(limits, { bodyStallMs: 200, unreadResponseMs: 200 });
    handle = readAll;
    const client = await connect();
    client.write("POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n12");
    expect((await client.response()).status).toBe(200);
    expect(await isCut(client)).toBe(false);
  });
});

test("an idle connection is kept longer than balancers keep theirs", async () => {
  handle = readAll;
  const client = await connect();
  client.write("GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.response();
  expect(server.keepAliveTimeout).toBe(70_000);
  client.write("GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
  expect((await client.response()).headers.get("keep-alive")).toBe("timeout=70");
});

describe("a request that is answered before its body is read", () => {
  const readers: Record<string, (req: IncomingMessage) => Promise<unknown>> = {
    "by nobody": async () => undefined,
    "as a web stream": (req) => (Readable.toWeb(req) as ReadableStream<Uint8Array>).getReader().read(),
    // Next.js reads a body in this way.
    "by an iterator": (req) => req[Symbol.asyncIterator]().next(),
  };
  const answerEarly = (how: string) => {
    handle = (req, res) => {
      readers[how]?.(req).catch(() => undefined);
      setTimeout(() => res.end("refused"), 20);
    };
  };
  const post = (length: number) => `POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;

  test.each(Object.keys(readers))("leaves its connection to the next, begun to be read %s", async (how) => {
    answerEarly(how);
    const client = await connect();
    for (let n = 0; n < 3; n++) {
      client.write(`${post(300_000)}${".".repeat(300_000)}`);
      expect((await client.response()).status).toBe(200);
    }
  });

  test.each(Object.keys(readers))("ends its connection when too much follows, begun to be read %s", async (how) => {
    Object.assign(limits, { discardedBytes: 100_000 });
    answerEarly(how);
    const client = await connect();
    client.write(`${post(10_000_000)}${".".repeat(5_000_000)}`);
    expect((await client.response()).status).toBe(200);
    expect(await isCut(client)).toBe(true);
  });
});

test("an upload may stop for as long as UPLOAD_STALL_TIMEOUT says", async () => {
  Object.assign(limits, { bodyStallMs: 200 });
  handle = readAll;
  const client = await connect();
  client.write("POST /api/storage/upload?token=a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
  await later();
  client.write("67890");
  expect((await client.response()).status).toBe(200);
});

test("an answer that the client does not read is broken off; one that it reads slowly is not", async () => {
  Object.assign(limits, { unreadResponseMs: 1_500 });
  const closed = { unread: false, slow: false };
  handle = (req, res) => {
    const name = req.url === "/slow" ? "slow" : "unread";
    res.once("close", () => {
      closed[name] = true;
    });
    res.write(Buffer.alloc(64 * 2 ** 20));
  };
  const [unread, slow] = [await connect(), await connect()];
  for (const client of [unread, slow]) client.socket.pause();
  unread.write("GET /unread HTTP/1.1\r\nHost: a\r\n\r\n");
  slow.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  slow.socket.on("data", () => slow.socket.pause());
  const sip = setInterval(() => slow.socket.resume(), 5);
  await eventually(() => expect(closed).toEqual({ unread: true, slow: false }));
  clearInterval(sip);
});

test("a request's socket has its address noted, whatever the client says that it is", async () => {
  let seen: unknown;
  handle = (req, res) => {
    const headers = new Headers(Object.entries(req.headersDistinct).map(([name, values]) => [name, String(values)]));
    seen = {
      network: clientNetwork(headers),
      names: [...headers.keys()].filter((name) => name.startsWith("x-socket-")),
    };
    res.end();
  };
  const first = await connect();
  first.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await first.response();
  const { names } = seen as { names: string[] };
  const second = await connect();
  second.write(`GET / HTTP/1.1\r\nHost: a\r\n${names[0]}: 8.8.8.8\r\n\r\n`);
  await second.response();
  // Loopback counts as the address of a proxy.
  expect(seen).toEqual({ network: null, names: [names[0]] });
});
