import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { app } from "~/functions";
import { pool } from "~/kit/database/database";
import { limitRate } from "~/kit/functions/rate-limit";
import { serveRouter } from "~/kit/functions/router";
import { clientNetwork, networkOf, socketAddress } from "~/kit/http/client-address";
import { serveHttp } from "~/kit/http/serve-http";
import { env } from "~/kit/process/env";
import { startDirect } from "~/kit/storage/direct-upload";
import { apiOf, post } from "./caller";
import { everything, storage } from "./storage/kit";

const { http, router } = app;

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** Allows `limit` calls a minute, and trusts the address that the client names. */
function allow(name: "RATE_LIMIT_UPLOADS" | "RATE_LIMIT_HTTP", limit: number) {
  vi.spyOn(env, name, "get").mockReturnValue(limit);
  vi.spyOn(env, "TRUST_PROXY", "get").mockReturnValue(1);
}

const from = (address: string) => ({ "x-forwarded-for": address });

describe("too many calls in a minute", () => {
  beforeEach(async () => void (await pool.query("TRUNCATE _rate_limits")));

  const mint = (headers: HeadersInit) =>
    serveRouter(router)(
      new Request("http://app.test/api/trpc/messages.generateUploadUrl", { method: "POST", headers }),
    );
  const write = (headers: HeadersInit) => {
    const body = JSON.stringify({ author: "a", body: "b" });
    return serveHttp(http)(new Request("http://app.test/http/postMessage", { method: "POST", body, headers }));
  };

  test.each([
    ["minting upload URLs", "RATE_LIMIT_UPLOADS", mint],
    ["of an open HTTP action", "RATE_LIMIT_HTTP", write],
  ] as const)("%s, 429 with when to try again; other addresses go on", async (_, name, call) => {
    allow(name, 2);
    const statuses = [];
    for (let n = 0; n < 3; n++) statuses.push((await call(from("192.0.2.1"))).status);
    expect(statuses).toEqual([200, 200, 429]);
    const retryAfter = Number((await call(from("192.0.2.1"))).headers.get("retry-after"));
    expect(retryAfter).toBeGreaterThan(0);
    expect(retryAfter).toBeLessThanOrEqual(60);
    expect((await call(from("192.0.2.2"))).status).toBe(200);
  });

  test("an address that the client wrote itself does not count as another", async () => {
    allow("RATE_LIMIT_UPLOADS", 1);
    await mint(from("198.51.100.1, 192.0.2.1"));
    expect((await mint(from("198.51.100.2, 192.0.2.1"))).status).toBe(429);
  });

  test("an identity counts for itself, whatever its address", async () => {
    allow("RATE_LIMIT_UPLOADS", 1);
    const count = (identity: string, address: string) =>
      limitRate("uploads", { identity, headers: new Headers(from(address)) });
    await count("test|ann", "192.0.2.1");
    await expect(count("test|ann", "192.0.2.2")).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS" });
    await count("test|bob", "192.0.2.1");
  });
});

describe("clientNetwork", () => {
  test.each<[string, number, string | undefined, string | null]>([
    ["no proxy is trusted", 0, "192.0.2.1", null],
    ["the proxy says nothing", 1, undefined, null],
    ["one proxy is trusted", 1, "192.0.2.1", "192.0.2.1"],
    ["the client sent one too", 1, "203.0.113.9, 192.0.2.1", "192.0.2.1"],
    ["two proxies are trusted", 2, "203.0.113.9, 192.0.2.1, 10.0.0.1", "192.0.2.1"],
    ["fewer hops than proxies", 2, "10.0.0.1", null],
  ])("%s", (_, proxies, header, address) => {
    vi.spyOn(env, "TRUST_PROXY", "get").mockReturnValue(proxies);
    expect(clientNetwork(new Headers(header ? { "x-forwarded-for": header } : {}))).toBe(address);
  });

  test("on Vercel, what Vercel says", () => {
    vi.stubEnv("VERCEL", "1");
    const headers = { "x-forwarded-for": "203.0.113.9", "x-vercel-forwarded-for": "192.0.2.1" };
    expect(clientNetwork(new Headers(headers))).toBe("192.0.2.1");
  });
});

describe("without a trusted proxy", () => {
  afterEach(() => {
    socketAddress.isNoted = false;
  });

  test.each<[string, string, string | null]>([
    ["a public address of the socket counts", "8.8.4.4", "8.8.4.4"],
    ["of an IPv6 address its first half counts", "2606:4700:1:2:3:4:5:6", "2606:4700:1:2::/64"],
    ["a mapped address is the one it maps", "::ffff:8.8.8.8", "8.8.8.8"],
    ["loopback is a proxy's", "127.0.0.1", null],
    ["a private address is a proxy's", "10.1.2.3", null],
    ["a private IPv6 address is a proxy's", "fd00::1", null],
  ])("%s", (_, socket, network) => {
    socketAddress.isNoted = true;
    const headers = new Headers({ [socketAddress.header]: socket, "x-forwarded-for": "203.0.113.9" });
    expect(clientNetwork(headers)).toBe(network);
  });

  test("what a client sends under that header counts only where sockets are noted", () => {
    expect(clientNetwork(new Headers({ [socketAddress.header]: "8.8.8.8" }))).toBeNull();
  });
});

test.each<[string, string | null]>([
  ["192.0.2.1:4711", "192.0.2.1"],
  ["[2606:4700::1]:443", "2606:4700::/64"],
  ["fe80::1%eth0", "fe80::/64"],
  ["unknown", null],
  ["", null],
])("the network of %j is %j", (text, network) => {
  expect(networkOf(text)).toBe(network);
});

describe("the quota of an identity", () => {
  const tooLarge = { status: 413, code: "FileTooLarge" };
  const answer = async (response: Response) => ({ status: response.status, ...(await response.json()) });

  test("is what all of their files may have together; more is refused, 413, and not stored", async () => {
    vi.spyOn(env, "STORAGE_QUOTA", "get").mockReturnValue(10);
    const ann = apiOf("ann");
    expect((await post(await ann.files.generateUploadUrl(), "123456")).status).toBe(200);
    const before = await everything();
    expect(await answer(await post(await ann.files.generateUploadUrl(), "12345"))).toMatchObject(tooLarge);
    const announced = { "Content-Length": "5" };
    expect(await answer(await post(await ann.files.generateUploadUrl(), "12345", announced))).toMatchObject(tooLarge);
    expect(await everything()).toEqual(before);
    expect((await post(await ann.files.generateUploadUrl(), "1234")).status).toBe(200);
  });

  test("holds for direct uploads as they begin", async () => {
    vi.spyOn(env, "STORAGE_QUOTA", "get").mockReturnValue(10);
    const url = (await apiOf("cleo").files.generateUploadUrl()).replace("?", "/direct?");
    const begin = (size: number) => startDirect(new Request(url, { method: "POST", body: JSON.stringify({ size }) }));
    expect(await answer(await begin(11))).toMatchObject(tooLarge);
    expect((await begin(10)).status).toBe(200);
  });

  test("is nobody else's, and not of those without an identity", async () => {
    vi.spyOn(env, "STORAGE_QUOTA", "get").mockReturnValue(10);
    expect((await post(await apiOf("bob").files.generateUploadUrl(), "1234567890")).status).toBe(200);
    expect((await post(await storage.generateUploadUrl(), "longer than the quota")).status).toBe(200);
  });
});
