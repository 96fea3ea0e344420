import { lookup } from "node:dns/promises";
import { get as httpGet, type IncomingMessage } from "node:http";
import { get as httpsGet } from "node:https";
import { isIP } from "node:net";
import { TRPCError } from "@trpc/server";
import ipaddr from "ipaddr.js";
import { env } from "./env";
import { limits } from "./limits";
import { createPlaces } from "./places";
import { processWide } from "./process-wide";
import { quote } from "./quote";

const maxRedirects = 5;

export interface FetchPublicOptions {
  /** Bytes; a larger answer is refused. */
  maxSize: number;
  /** Milliseconds for all of it, redirects included. */
  timeout?: number;
  /** Finds a host's addresses. */
  resolve?: (host: string) => Promise<string[]>;
  isAllowed?: (address: string) => boolean;
  /** Ports to connect to; by default those of `FETCH_PORTS`. */
  ports?: readonly number[];
}

/**
 * Fetches a URL that a stranger named. Only hosts on the public internet: the addresses are checked when the connection
 * is made and on every redirect, and it is to a checked address that it is made, whatever DNS says next.
 * @throws TRPCError `BAD_REQUEST`
 */
export const fetchPublic = (url: string, options: FetchPublicOptions): Promise<Blob> =>
  inTurn(() => fetchNow(url, options));

const inTurn = processWide("fetches", () => createPlaces(limits.fetches, limits.fetchesWaiting));

async function fetchNow(url: string, options: FetchPublicOptions): Promise<Blob> {
  const { maxSize, timeout = 30_000, resolve = resolveAll, isAllowed = isPublic, ports = env.FETCH_PORTS } = options;
  const signal = AbortSignal.timeout(timeout);
  let target = new URL(url);
  for (let hops = 0; hops <= maxRedirects; hops++) {
    const response = await open(target, { resolve, isAllowed, ports, signal });
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
    if (headers["content-length"] === undefined && headers["transfer-encoding"] === undefined) {
      // It ends with its connection, which may as well have broken.
      response.destroy();
      throw refuse(`${url} does not say how long its answer is`);
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
    ports,
    signal,
  }: Required<Pick<FetchPublicOptions, "resolve" | "isAllowed" | "ports">> & { signal: AbortSignal },
): Promise<IncomingMessage> {
  if (url.protocol !== "http:" && url.protocol !== "https:") throw refuse(`${quote(url.href)} is not a web address`);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const addresses = isIP(host)
    ? [host]
    : await resolve(host).catch((cause) => Promise.reject(refuse(`Cannot find host ${host}`, cause)));
  const forbidden = addresses.find((address) => !isAllowed(address));
  if (addresses.length === 0 || forbidden !== undefined) throw refuse(`Host ${host} is not on the public internet`);
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  if (!ports.includes(port)) throw refuse(`Port ${port} is not fetched from; FETCH_PORTS lists those that are`);
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
  // In one spelling: `::127.0.0.1` is `::7f00:1`, an old way to write 127.0.0.1, of which none is public.
  const literal = `http://[${address}]`;
  const spelled = isIP(address) === 6 && URL.canParse(literal) ? new URL(literal).hostname.slice(1, -1) : address;
  if (!ipaddr.isValid(spelled)) return false;
  // `::ffff:127.0.0.1` is 127.0.0.1.
  const parsed = ipaddr.process(spelled);
  const isCompatible = parsed instanceof ipaddr.IPv6 && parsed.parts.slice(0, 6).every((part) => part === 0);
  return parsed.range() === "unicast" && !isCompatible && parsed.toString() !== azure;
}

/** Where Azure answers its own machines. */
const azure = "168.63.129.16";

const refuse = (message: string, cause?: unknown) => new TRPCError({ code: "BAD_REQUEST", message, cause });
