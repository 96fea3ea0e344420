import { lookup } from "node:dns/promises";
import { type ClientRequest, get as httpGet, type IncomingMessage } from "node:http";
import { get as httpsGet } from "node:https";
import { isIP } from "node:net";
import { TRPCError } from "@trpc/server";
import ipaddr from "ipaddr.js";
import { quote } from "../log/text";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { createPlaces } from "../process/places";
import { processWide } from "../process/process-wide";

const maxRedirects = 5;

export interface FetchPublicOptions {
  /** The largest response to accept, in bytes. */
  maxSize: number;
  /** Milliseconds for the whole fetch, including redirects. Default: 30 seconds. */
  timeout?: number;
  /** Further request headers, such as `Authorization`. They are not sent to another origin that the URL redirects to. */
  headers?: Record<string, string>;
  /** Ends the fetch when it is aborted. */
  signal?: AbortSignal;
  /** Resolves a host name to addresses. */
  resolve?: (host: string) => Promise<string[]>;
  isAllowed?: (address: string) => boolean;
  /** The allowed ports. Default: those of `FETCH_PORTS`. */
  ports?: readonly number[];
}

/** A response whose body is read while it arrives. */
interface Fetched {
  /** The first 4,100 bytes of the body, or all of a shorter one, to find out its type. */
  head: Uint8Array;
  /** The `Content-Type` that the server says, or `null`. */
  contentType: string | null;
  /** The bytes that the server announces. */
  size?: number;
  /** The whole body. Can be read once. Fails when the body is too large, or when the connection breaks. */
  body: ReadableStream<Uint8Array>;
}

/**
 * Fetches a user-supplied URL without exposing the private network, and returns what `use` returns for the response. The
 * addresses of the host and of every redirect are checked, and the connection goes to a checked address, so a later change of
 * DNS has no effect.
 *
 *     const id = await fetchPublic(url, { maxSize: 1_000_000 }, ({ body }) => ctx.storage.store(body));
 *
 * @throws TRPCError `BAD_REQUEST` when the URL cannot be fetched, `TOO_MANY_REQUESTS` when too many fetches wait
 */
export const fetchPublic = <R>(
  url: string,
  options: FetchPublicOptions,
  use: (fetched: Fetched) => Promise<R>,
): Promise<R> => inTurn(() => fetchNow(url, options, use));

const inTurn = processWide("fetches", () => createPlaces(limits.fetches, limits.fetchesWaiting));

/** Like `fetchPublic`, for bytes that are stored while they arrive, which may take minutes. */
export const downloadPublic = <R>(
  url: string,
  options: FetchPublicOptions,
  use: (fetched: Fetched) => Promise<R>,
): Promise<R> => downloadInTurn(() => fetchNow(url, { timeout: env.ACTION_TIMEOUT, ...options }, use));

const downloadInTurn = processWide("downloads", () => createPlaces(limits.downloads, limits.downloadsWaiting));

async function fetchNow<R>(
  url: string,
  options: FetchPublicOptions,
  use: (fetched: Fetched) => Promise<R>,
): Promise<R> {
  const { maxSize, timeout = 30_000, resolve = resolveAll, isAllowed = isPublic, ports = env.FETCH_PORTS } = options;
  const signal = AbortSignal.any([AbortSignal.timeout(timeout), ...(options.signal ? [options.signal] : [])]);
  let target = new URL(url);
  let sent = options.headers ?? {};
  for (let hops = 0; hops <= maxRedirects; hops++) {
    const response = await open(target, { resolve, isAllowed, ports, headers: sent, signal });
    const { statusCode: status = 0, headers } = response;
    if (status >= 300 && status < 400 && headers.location) {
      response.destroy();
      const next = new URL(headers.location, target);
      if (next.origin !== target.origin) sent = {};
      target = next;
      continue;
    }
    if (status !== 200) {
      response.destroy();
      throw refuse(`${url} answers ${status}.`);
    }
    if ((headers["content-encoding"] ?? "identity") !== "identity") {
      response.destroy();
      throw refuse(`${url} answers with compressed bytes, which the request did not ask for.`);
    }
    if (headers["content-length"] === undefined && headers["transfer-encoding"] === undefined) {
      // Such a body ends when the connection closes, so a broken connection would look like its end.
      response.destroy();
      throw refuse(`${url} does not say how long its answer is.`);
    }
    return pass(response, maxSize, url, use);
  }
  throw refuse(`${url} redirects more than ${maxRedirects} times.`);
}

async function open(
  url: URL,
  {
    resolve,
    isAllowed,
    ports,
    headers,
    signal,
  }: Required<Pick<FetchPublicOptions, "resolve" | "isAllowed" | "ports" | "headers" | "signal">>,
): Promise<IncomingMessage> {
  if (url.protocol !== "http:" && url.protocol !== "https:") throw refuse(`${quote(url.href)} is not a web address.`);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const addresses = isIP(host)
    ? [host]
    : await resolve(host).catch((cause) => Promise.reject(refuse(`Cannot find host ${host}.`, cause)));
  const forbidden = addresses.find((address) => !isAllowed(address));
  if (addresses.length === 0 || forbidden !== undefined) throw refuse(`Host ${host} is not on the public internet.`);
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  if (!ports.includes(port)) throw refuse(`Port ${port} is not allowed. FETCH_PORTS lists the allowed ports.`);
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  const get = url.protocol === "https:" ? httpsGet : httpGet;
  return new Promise((done, failed) => {
    get(url, {
      signal,
      agent: false,
      headers: { accept: "image/*,*/*;q=0.5", ...headers, "accept-encoding": "identity" },
      timeout: env.UPLOAD_STALL_TIMEOUT,
      // Connect to one of the checked addresses instead of resolving the host again.
      lookup: (_, { all }, callback) =>
        all ? callback(null, found) : callback(null, found[0]?.address ?? "", found[0]?.family),
    })
      .once("response", done)
      .once("timeout", function (this: ClientRequest) {
        this.destroy(new Error(`No bytes came for ${env.UPLOAD_STALL_TIMEOUT / 1000} s.`));
      })
      .once("error", (cause) => failed(refuse(`Cannot fetch ${url.href}: ${cause.message}`, cause)));
  });
}

/** The number of bytes that identify every kind of file which is identified by its first bytes. */
const headSize = 4_100;

async function pass<R>(
  response: IncomingMessage,
  maxSize: number,
  url: string,
  use: (fetched: Fetched) => Promise<R>,
): Promise<R> {
  const chunks = read(response, maxSize, url);
  try {
    if (Number(response.headers["content-length"] ?? 0) > maxSize) throw tooLarge(url, maxSize);
    const first: Uint8Array[] = [];
    for (let size = 0; size < headSize; ) {
      const { value, done } = await chunks.next();
      if (done) break;
      first.push(value);
      size += value.length;
    }
    async function* whole() {
      yield* first;
      yield* chunks;
    }
    const head = Buffer.concat(first).subarray(0, headSize);
    const { "content-type": contentType = null, "content-length": length } = response.headers;
    const size = length === undefined ? undefined : Number(length);
    return await use({ head, contentType, size, body: streamOf(whole()) });
  } finally {
    response.destroy();
  }
}

async function* read(response: IncomingMessage, maxSize: number, url: string): AsyncGenerator<Uint8Array, void> {
  let size = 0;
  try {
    for await (const chunk of response) {
      size += chunk.length;
      if (size > maxSize) throw tooLarge(url, maxSize);
      yield chunk;
    }
  } catch (cause) {
    throw cause instanceof TRPCError ? cause : refuse(`${url} broke off.`, cause);
  }
}

const streamOf = (chunks: AsyncGenerator<Uint8Array, void>) =>
  new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => void (await chunks.return()),
    },
    { highWaterMark: 0 },
  );

const resolveAll = async (host: string) => (await lookup(host, { all: true })).map(({ address }) => address);

/** Whether an address is on the public internet: not loopback, private, link-local, multicast, reserved, or mapped to such. */
export function isPublic(address: string): boolean {
  // Normalizes the spelling. `::127.0.0.1` becomes `::7f00:1`, an obsolete form of 127.0.0.1. No address of that form is public.
  const literal = `http://[${address}]`;
  const spelled = isIP(address) === 6 && URL.canParse(literal) ? new URL(literal).hostname.slice(1, -1) : address;
  if (!ipaddr.isValid(spelled)) return false;
  // `::ffff:127.0.0.1` is 127.0.0.1.
  const parsed = ipaddr.process(spelled);
  const isCompatible = parsed instanceof ipaddr.IPv6 && parsed.parts.slice(0, 6).every((part) => part === 0);
  return parsed.range() === "unicast" && !isCompatible && parsed.toString() !== azure;
}

/** The address at which Azure serves metadata to its virtual machines. */
const azure = "168.63.129.16";

const tooLarge = (url: string, maxSize: number) => refuse(`${url} is larger than ${maxSize} bytes.`);

const refuse = (message: string, cause?: unknown) => new TRPCError({ code: "BAD_REQUEST", message, cause });
