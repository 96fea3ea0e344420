import { lookup } from "node:dns/promises";
import { get as httpGet, type IncomingMessage } from "node:http";
import { get as httpsGet } from "node:https";
import { isIP } from "node:net";
import { TRPCError } from "@trpc/server";
import ipaddr from "ipaddr.js";

const maxRedirects = 5;

export interface FetchPublicOptions {
  /** Bytes; a larger answer is refused. */
  maxSize: number;
  /** Milliseconds for all of it, redirects included. */
  timeout?: number;
  /** Finds a host's addresses. */
  resolve?: (host: string) => Promise<string[]>;
  isAllowed?: (address: string) => boolean;
}

/**
 * Fetches a URL that a stranger named. Only hosts on the public internet: the addresses are checked when the connection
 * is made and on every redirect, and it is to a checked address that it is made, whatever DNS says next.
 * @throws TRPCError `BAD_REQUEST`
 */
export async function fetchPublic(url: string, options: FetchPublicOptions): Promise<Blob> {
  const { maxSize, timeout = 30_000, resolve = resolveAll, isAllowed = isPublic } = options;
  const signal = AbortSignal.timeout(timeout);
  let target = new URL(url);
  for (let hops = 0; hops <= maxRedirects; hops++) {
    const response = await open(target, { resolve, isAllowed, signal });
    const { statusCode: status = 0, headers } = response;
    if (status >= 300 && status < 400 && headers.location) {
      response.destroy();
      target = new URL(headers.location, target);
      continue;
    }
    if (status !== 200) {
      response.destroy();
      throw refuse(`${url} answers ${status}`);
    }
    return read(response, maxSize, url);
  }
  throw refuse(`${url} redirects more than ${maxRedirects} times`);
}

async function open(
  url: URL,
  {
    resolve,
    isAllowed,
    signal,
  }: { resolve: (host: string) => Promise<string[]>; isAllowed: (address: string) => boolean; signal: AbortSignal },
): Promise<IncomingMessage> {
  if (url.protocol !== "http:" && url.protocol !== "https:") throw refuse(`${url.href} is not a web address`);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const addresses = isIP(host)
    ? [host]
    : await resolve(host).catch((cause) => Promise.reject(refuse(`Cannot find host ${host}`, cause)));
  const forbidden = addresses.find((address) => !isAllowed(address));
  if (addresses.length === 0 || forbidden !== undefined) throw refuse(`Host ${host} is not on the public internet`);
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  const get = url.protocol === "https:" ? httpsGet : httpGet;
  return new Promise((done, failed) => {
    get(url, {
      signal,
      agent: false,
      headers: { accept: "image/*,*/*;q=0.5", "accept-encoding": "identity" },
      // Whatever asks for the host's address gets a checked one.
      lookup: (_, { all }, callback) =>
        all ? callback(null, found) : callback(null, found[0]?.address ?? "", found[0]?.family),
    })
      .once("response", done)
      .once("error", (cause) => failed(refuse(`Cannot fetch ${url.href}: ${cause.message}`, cause)));
  });
}

async function read(response: IncomingMessage, maxSize: number, url: string): Promise<Blob> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for await (const chunk of response) {
      size += chunk.length;
      if (size > maxSize) throw refuse(`${url} is larger than ${maxSize} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    throw cause instanceof TRPCError ? cause : refuse(`${url} broke off`, cause);
  } finally {
    response.destroy();
  }
  return new Blob(chunks, { type: response.headers["content-type"] ?? "" });
}

const resolveAll = async (host: string) => (await lookup(host, { all: true })).map(({ address }) => address);

/** Whether an address is one of the public internet's: not loopback, private, link-local, multicast, reserved or mapped to one. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  // `::ffff:127.0.0.1` is 127.0.0.1.
  return ipaddr.process(address).range() === "unicast";
}

const refuse = (message: string, cause?: unknown) => new TRPCError({ code: "BAD_REQUEST", message, cause });
