import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { sessionOf } from "../process/places";
import { processWide, stopping } from "../process/process-wide";
import { socketAddress } from "./client-address";
import { noteResponse } from "./content-length";
import { serveDirectly } from "./direct-routes";
import { isRefusedOnFilesHost, refuseOnFilesHost } from "./files-host";

/** A request that is being received, or whose response is being sent. */
interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  socket: Socket;
  /** When it began, in milliseconds since the epoch. */
  began: number;
  /** Bytes that the socket had received before this request's body. */
  bytesBefore: number;
  /** When bytes last arrived and how many there were then, and the same for sent bytes. */
  received: { at: number; bytes: number };
  sent: { at: number; mark: string };
}

/** Time between two checks of the requests. */
const intervalMs = 1_000;

/** How long Node.js keeps an idle connection by default. */
const nodeKeepAliveMs = 5_000;
/** How long a client has to read the response when the rest of its body is too long to discard. */
const lingeringMs = 2_000;

const watched = processWide("watched exchanges", () => ({
  exchanges: new Set<Exchange>(),
  servers: new Set<Server>(),
  timer: undefined as unknown,
}));

/** Whether the body may arrive at any rate, as long as it does not stall: see `UPLOAD_STALL_TIMEOUT`. */
const isUpload = ({ url = "", method }: IncomingMessage) =>
  (method === "POST" || method === "PATCH") && /^(https?:\/\/[^/?]*)?\/api\/storage\/upload\/?\?/i.test(url);

/**
 * Watches every request to the HTTP servers of this process, for pages, functions and files. It disconnects a client that
 * stops sending its request, sends it too slowly, or does not read the response, to free what the request holds. The limit of
 * Node.js, five minutes for a whole request, would cut off long uploads. Idle connections are kept longer than load balancers
 * keep theirs, because a request is lost when it is sent over a connection that is just being closed.
 */
export function watchConnections(): void {
  if (watched.timer) return;
  subscribe("http.server.request.start", (message) => {
    const { request, response, socket, server } = message as {
      request: IncomingMessage;
      response: ServerResponse;
      socket: Socket;
      server: Server;
    };
    server.requestTimeout = 0;
    // `next start --keepAliveTimeout` sets it, too.
    const isUnset = server.keepAliveTimeout === nodeKeepAliveMs;
    if (isUnset || process.env.KEEP_ALIVE_TIMEOUT) server.keepAliveTimeout = env.KEEP_ALIVE_TIMEOUT;
    if (!watched.servers.has(server)) startInTurns(server);
    watched.servers.add(server);
    noteAddress(request, socket);
    noteResponse(request, response);
    const now = Date.now();
    const exchange: Exchange = {
      request,
      response,
      socket,
      began: now,
      bytesBefore: socket.bytesRead,
      received: { at: now, bytes: socket.bytesRead },
      sent: { at: now, mark: "" },
    };
    watched.exchanges.add(exchange);
    response.once("finish", () => discardRest(exchange));
  });
  socketAddress.isNoted = true;
  watched.timer = setInterval(() => {
    const now = Date.now();
    for (const exchange of watched.exchanges) check(exchange, now);
    // A stopping server waits for its connections. Node.js closes those that are idle at first, but not those that become idle.
    if (stopping.aborted) for (const server of watched.servers) server.closeIdleConnections();
  }, intervalMs).unref();
}

/** Passes the socket's address, and what proxies say, on in headers, which replace those of these names from the client. */
function noteAddress({ headers, headersDistinct }: IncomingMessage, { remoteAddress = "" }: Socket): void {
  const notes = {
    [socketAddress.header]: remoteAddress,
    [socketAddress.forwardedHeader]: String(headers["x-forwarded-for"] ?? ""),
  };
  for (const [name, value] of Object.entries(notes)) {
    headers[name] = value;
    headersDistinct[name] = [value];
  }
}

function check(exchange: Exchange, now: number): void {
  const { request, response, socket } = exchange;
  // A request that was answered early may still be arriving.
  if (socket.destroyed || (response.closed && request.complete)) {
    watched.exchanges.delete(exchange);
    return;
  }
  if (!request.complete && isTooSlow(exchange, now)) {
    refuse(exchange);
    return;
  }
  const mark = sentMark(socket);
  // Bytes wait here when the buffers of the operating system are full, which means that the client does not read.
  if (mark !== exchange.sent.mark || socket.writableLength === 0) exchange.sent = { at: now, mark };
  if (now - exchange.sent.at > limits.unreadResponseMs) socket.destroy();
}

/**
 * Returns a text that changes whenever bytes were sent. During one long write, only the socket's handle knows how many bytes
 * were sent.
 */
function sentMark(socket: Socket & { _handle?: { writeQueueSize?: number } | null }): string {
  return `${socket.bytesWritten - socket.writableLength} ${socket._handle?.writeQueueSize}`;
}

/** Whether the client sends the request too slowly. It is not to blame while the server does not read. */
function isTooSlow(exchange: Exchange, now: number): boolean {
  const { request, socket, received } = exchange;
  if (socket.bytesRead !== received.bytes || isPaused(exchange)) {
    exchange.received = { at: now, bytes: socket.bytesRead };
  }
  // The upload endpoint has its own limit and answers with an error. This limit is for what gets past it.
  if (isUpload(request)) return now - exchange.received.at > env.UPLOAD_STALL_TIMEOUT + limits.bodyStallMs;
  if (now - exchange.received.at > limits.bodyStallMs) return true;
  const seconds = (now - exchange.began - limits.bodyStallMs) / 1_000;
  return seconds > 0 && socket.bytesRead - exchange.bytesBefore < seconds * limits.bodyBytesPerSecond;
}

/** Whether the server has not read all bytes that arrived. */
const isPaused = ({ request, socket }: Exchange) => request.readableLength > 0 || socket.isPaused();

/**
 * Discards the rest of a body after the response was sent, because the connection's next request waits behind it. Node.js does
 * this only when reading has not begun. When the rest is too long, the connection is closed, after the client had a moment to
 * read the response.
 */
function discardRest({ request, socket }: Exchange): void {
  if (request.complete || socket.destroyed) return;
  let bytes = 0;
  // A listener for this event would stop the flow.
  request.removeAllListeners("readable").removeAllListeners("data");
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= limits.discardedBytes) return;
    request.removeAllListeners("data").pause();
    socket.end();
    setTimeout(() => socket.destroy(), lingeringMs).unref();
  });
  request.resume();
}

/** Refuses a request that arrives too slowly, in the same way as Node.js. */
function refuse({ response, socket, request }: Exchange): void {
  if (response.headersSent) {
    socket.destroy();
    return;
  }
  const answer = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  socket.end(answer, () => request.destroy());
}

type Start = () => void;

/**
 * Begins one request in each turn of the event loop, and lets sessions take turns. Beginning a request takes one or two
 * milliseconds. Without this, a client with many connections would add that time, once for each, to every step of all other
 * requests. Only the headers of waiting requests have been read.
 */
export function startInTurns(server: Server): void {
  const handlers = server.listeners("request") as ((request: IncomingMessage, response: ServerResponse) => void)[];
  server.removeAllListeners("request");
  const lines = new Map<string, Start[]>();

  function turn(): void {
    const [[session, line] = ["", []]] = lines;
    line.shift()?.();
    lines.delete(session);
    // The session moves behind all others.
    if (line.length > 0) lines.set(session, line);
    if (lines.size > 0) setImmediate(turn);
  }

  server.on("request", (request, response) => {
    const start = () => {
      if (request.socket.destroyed) return;
      // Next.js fails with this method, because a `Request` cannot have it. It refuses methods that it does not know.
      if (request.method === "TRACE") request.method = "UNKNOWN";
      if (isRefusedOnFilesHost(request)) return refuseOnFilesHost(response);
      if (serveDirectly(request, response)) return;
      for (const handle of handlers) handle.call(server, request, response);
    };
    const session = sessionOf(request.headers.cookie, request.headers.authorization);
    if (lines.size === 0) setImmediate(turn);
    const line = lines.get(session) ?? [];
    line.push(start);
    lines.set(session, line);
  });
}
