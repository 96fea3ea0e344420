import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type FetchPublicOptions, fetchPublic as fetchTo, isPublic } from "~/kit/http/fetch-public";
import { limits } from "~/kit/process/limits";

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** A web server on loopback, called by a name of the public internet. */
async function site(listener: RequestListener) {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return (server.address() as AddressInfo).port;
}

/** All of the answer's bytes. */
const fetchPublic = (url: string, options: FetchPublicOptions) =>
  fetchTo(url, options, async ({ body }) => Buffer.from(await new Response(body).arrayBuffer()));

const options = { maxSize: 1000, timeout: 2000 };
/** Treats loopback as public, because the tests' own servers are there. */
const everyPort = Array.from({ length: 65_536 }, (_, port) => port);
const trusting = { ...options, resolve: async () => ["127.0.0.1"], isAllowed: () => true, ports: everyPort };

describe("isPublic", () => {
  test.each([
    ["8.8.8.8", true],
    ["2606:4700::1111", true],
    ["127.0.0.1", false],
    ["127.9.9.9", false],
    ["0.0.0.0", false],
    ["10.0.0.1", false],
    ["172.16.0.1", false],
    ["172.31.255.255", false],
    ["192.168.1.1", false],
    ["169.254.169.254", false],
    ["100.64.0.1", false],
    ["192.0.2.1", false],
    ["198.18.0.1", false],
    ["224.0.0.1", false],
    ["255.255.255.255", false],
    ["::", false],
    ["::1", false],
    ["fe80::1", false],
    ["fc00::1", false],
    ["ff02::1", false],
    ["::ffff:127.0.0.1", false],
    ["::ffff:10.0.0.1", false],
    ["::ffff:8.8.8.8", true],
    ["::127.0.0.1", false],
    ["::8.8.8.8", false],
    ["168.63.129.16", false],
    ["64:ff9b::7f00:1", false],
    ["2002:7f00:1::", false],
    ["2001:db8::1", false],
    ["fec0::1", false],
    ["nonsense", false],
  ])("%s, %s", (address, expected) => {
    expect(isPublic(address)).toBe(expected);
  });
});

describe("fetchPublic", () => {
  test("of a port that is not the web's, refused before it connects", async () => {
    let isCalled = false;
    const port = await site((_, response) => {
      isCalled = true;
      response.end("bytes");
    });
    const { ports: _, ...strict } = trusting;
    await expect(fetchPublic(`http://files.test:${port}/`, strict)).rejects.toThrow(`Port ${port}`);
    expect(isCalled).toBe(false);
  });

  test("whose answer does not say how long it is, refused, since it may be cut", async () => {
    const port = await site((request, response) => {
      response.detachSocket(request.socket);
      request.socket.end("HTTP/1.0 200 OK\r\nContent-Type: image/png\r\n\r\nhalf of it");
    });
    await expect(fetchPublic(`http://files.test:${port}/`, trusting)).rejects.toThrow("how long");
  });

  test("of many at once, a few at a time", async () => {
    let open = 0;
    let most = 0;
    const port = await site((_, response) => {
      most = Math.max(most, ++open);
      setTimeout(() => {
        open -= 1;
        response.end("bytes");
      }, 20);
    });
    await Promise.all(Array.from({ length: 20 }, () => fetchPublic(`http://files.test:${port}/`, trusting)));
    expect(most).toBe(limits.fetches);
  });

  test.each([
    ["loopback", "http://127.0.0.1/"],
    ["loopback by name", "http://localhost/"],
    ["loopback, decimal", "http://2130706433/"],
    ["loopback, octal", "http://0177.0.0.1/"],
    ["loopback, hexadecimal", "http://0x7f.1/"],
    ["loopback, short", "http://127.1/"],
    ["loopback, IPv6", "http://[::1]/"],
    ["loopback, mapped", "http://[::ffff:127.0.0.1]/"],
    ["loopback, mapped in hexadecimal", "http://[::ffff:7f00:1]/"],
    ["loopback, with credentials", "http://example.com@127.0.0.1/"],
    ["loopback, by full-width digits", "http://１２７.0.0.1/"],
    ["private", "http://10.1.2.3/"],
    ["the cloud's metadata", "http://169.254.169.254/latest/meta-data/"],
    ["nothing", "http://0/"],
    ["another scheme", "ftp://example.com/"],
    ["a file", "file:///etc/passwd"],
  ])("of %s, refused", async (_, url) => {
    await expect(fetchPublic(url, options)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("of a name with a private address among others, refused", async () => {
    const resolve = async () => ["8.8.8.8", "10.0.0.1"];
    await expect(fetchPublic("http://mixed.test/", { ...options, resolve })).rejects.toThrow(
      "not on the public internet",
    );
  });

  test("of a name whose address changes, goes to the checked one", async () => {
    let asked = 0;
    const resolve = async () => (asked++ === 0 ? ["127.0.0.2"] : ["127.0.0.1"]);
    const port = await site((_, response) => response.end("secret"));
    const isAllowed = (address: string) => address === "127.0.0.2";
    // Nothing listens on the checked address. If the name had been resolved again, the answer would have been the secret.
    await expect(fetchPublic(`http://rebinding.test:${port}/`, { ...trusting, resolve, isAllowed })).rejects.toThrow(
      "Cannot fetch",
    );
    expect(asked).toBe(1);
  });

  test("redirected to a private host, refused", async () => {
    const port = await site((_, response) => response.writeHead(302, { location: "http://10.0.0.1/" }).end());
    const isAllowed = (address: string) => address === "127.0.0.1";
    await expect(fetchPublic(`http://public.test:${port}/`, { ...trusting, isAllowed })).rejects.toThrow(
      "Host 10.0.0.1",
    );
  });

  test("redirected to another scheme, refused", async () => {
    const port = await site((_, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end());
    await expect(fetchPublic(`http://public.test:${port}/`, trusting)).rejects.toThrow("not a web address");
  });

  test("redirected without end, refused", async () => {
    const port = await site((_, response) => response.writeHead(302, { location: "/" }).end());
    await expect(fetchPublic(`http://public.test:${port}/`, trusting)).rejects.toThrow("more than 5 times");
  });

  test("redirected and found, its bytes", async () => {
    const port = await site((request, response) => {
      if (request.url === "/") response.writeHead(301, { location: "/there" }).end();
      else response.writeHead(200, { "content-type": "image/png" }).end("bytes");
    });
    expect(String(await fetchPublic(`http://public.test:${port}/`, trusting))).toBe("bytes");
  });

  test("is passed on while it comes, its beginning first, and ends when it is not wanted", async () => {
    let sent = 0;
    const port = await site((_, response) => {
      const more = () => {
        while (!response.destroyed && sent < 50_000_000) {
          sent += 65_536;
          if (!response.write(Buffer.alloc(65_536, "a"))) return void response.once("drain", more);
        }
      };
      more();
    });
    const large = { ...trusting, maxSize: 100_000_000 };
    const head = await fetchTo(`http://public.test:${port}/`, large, async ({ head }) => String(head));
    expect(head).toBe("a".repeat(4100));
    expect(sent).toBeLessThan(50_000_000);
  });

  test.each([
    ["larger than allowed, announced", (length: boolean) => (length ? { "content-length": "2000" } : {}), true],
    ["larger than allowed, streamed", () => ({}), false],
  ])("%s, refused", async (_, headers, announced) => {
    const port = await site((_, response) => response.writeHead(200, headers(announced)).end("x".repeat(2000)));
    await expect(fetchPublic(`http://public.test:${port}/`, trusting)).rejects.toThrow("larger than 1000 bytes");
  });

  test("that never ends, refused", async () => {
    const port = await site((_, response) => response.writeHead(200).write("x"));
    await expect(fetchPublic(`http://public.test:${port}/`, { ...trusting, timeout: 200 })).rejects.toThrow(
      "broke off",
    );
  });

  test("answered with an error, refused", async () => {
    const port = await site((_, response) => response.writeHead(404).end());
    await expect(fetchPublic(`http://public.test:${port}/`, trusting)).rejects.toThrow("answers 404");
  });
});
