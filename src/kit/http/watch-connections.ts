import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { sessionOf } from "../process/places";
import { processWide, stopping } from "../process/process-wide";
import { socketAddress } from "./client-address";

/** A request that is being sent, or whose answer is. */
interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  socket: Socket;
  /** Milliseconds since the epoch. */
  began: number;
  /** Bytes that the socket had received before this request's body. */
  bytesBefore: number;
  /** When bytes last came, and how many there were then; the same of those that were sent. */
  received: { at: number; bytes: number };
  sent: { at: number; mark: string };
}

/** Milliseconds between two looks at what is under way. */
const interval = 1_000;

/** Milliseconds that Node keeps an idle connection unless it is told otherwise. */
const nodeKeepAlive = 5_000;
/** Milliseconds that a client has to read the answer to what was not read to its end. */
const lingering = 2_000;

const watched = processWide("watched exchanges", () => ({
  exchanges: new Set<Exchange>(),
  servers: new Set<Server>(),
  timer: undefined as unknown,
}));

/** Requests whose bodies may come at any rate, as long as they come: see `UPLOAD_STALL_TIMEOUT`. */
const isUpload = ({ url = "", method }: IncomingMessage) =>
  method === "POST" && /^(https?:\/\/[^/?]*)?\/api\/storage\/upload\/?\?/i.test(url);

/**
 * Watches every request to the HTTP servers of this process, whatever serves it: pages, functions, files. A client that
 * stops sending its request, sends it too slowly, or does not read the answer is cut off, so that what it holds is free
 * again. Node's own limit, five minutes for a whole request, would cut off long uploads. Idle connections are kept for longer
 * than balancers keep theirs: a request that is sent over one which is just being closed is lost.
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
    // `next start --keepAliveTimeout` says it too.
    const isUnset = server.keepAliveTimeout === nodeKeepAlive;
    if (isUnset || process.env.KEEP_ALIVE_TIMEOUT) server.keepAliveTimeout = env.KEEP_ALIVE_TIMEOUT;
    if (!watched.servers.has(server)) startInTurns(server);
    watched.servers.add(server);
    noteAddress(request, socket);
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
    // A server that stops waits for its connections, and closes those that were idle then, not those that become so.
    if (stopping.aborted) for (const server of watched.servers) server.closeIdleConnections();
  }, interval).unref();
}

/** Over whatever the client sent under that name. */
function noteAddress(request: IncomingMessage, { remoteAddress = "" }: Socket): void {
  request.headers[socketAddress.header] = remoteAddress;
  request.headersDistinct[socketAddress.header] = [remoteAddress];
}

function check(exchange: Exchange, now: number): void {
  const { request, response, socket } = exchange;
  // What is answered early may still be on its way.
  if (socket.destroyed || (response.closed && request.complete)) {
    watched.exchanges.delete(exchange);
    return;
  }
  if (!request.complete && isTooSlow(exchange, now)) {
    refuse(exchange);
    return;
  }
  const mark = sentMark(socket);
  // What waits is what the system's buffers had no room for: the client does not read.
  if (mark !== exchange.sent.mark || socket.writableLength === 0) exchange.sent = { at: now, mark };
  if (now - exchange.sent.at > limits.unreadResponseMs) socket.destroy();
}

/** Changes whenever bytes were sent. Of one long write Node itself only knows that it is not done; its handle knows more. */
function sentMark(socket: Socket & { _handle?: { writeQueueSize?: number } | null }): string {
  return `${socket.bytesWritten - socket.writableLength} ${socket._handle?.writeQueueSize}`;
}

/** Whether too little of the request comes. One that is not being read has nothing to do with its sender. */
function isTooSlow(exchange: Exchange, now: number): boolean {
  const { request, socket, received } = exchange;
  if (socket.bytesRead !== received.bytes || isPaused(exchange)) {
    exchange.received = { at: now, bytes: socket.bytesRead };
  }
  // The upload endpoint has a limit of its own, with an answer that says so. This one only stands behind it.
  if (isUpload(request)) return now - exchange.received.at > env.UPLOAD_STALL_TIMEOUT + limits.bodyStallMs;
  if (now - exchange.received.at > limits.bodyStallMs) return true;
  const seconds = (now - exchange.began - limits.bodyStallMs) / 1_000;
  return seconds > 0 && socket.bytesRead - exchange.bytesBefore < seconds * limits.bodyBytesPerSecond;
}

/** Whether bytes are there that the server has not taken yet. */
const isPaused = ({ request, socket }: Exchange) => request.readableLength > 0 || socket.isPaused();

/**
 * Takes what is left of a body whose request was answered without it. Otherwise the connection's next request would wait
 * behind it; Node does this itself only where nobody began to read. A rest that is too long ends the connection, after the
 * client had a moment to read the answer.
 */
function discardRest({ request, socket }: Exchange): void {
  if (request.complete || socket.destroyed) return;
  let bytes = 0;
  // Whoever reads by this event holds the others back.
  request.removeAllListeners("readable").removeAllListeners("data");
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= limits.discardedBytes) return;
    request.removeAllListeners("data").pause();
    socket.end();
    setTimeout(() => socket.destroy(), lingering).unref();
  });
  request.resume();
}

/** As Node refuses a request that comes too slowly. */
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
 * Lets one request begin in each turn of the event loop, in turns by session. To begin a request costs a millisecond or two
 * before anything knows what it wants: a sender with many connections would put as much of that before each step of
 * everybody else's requests. What waits here has been read no further than its headers.
 */
export function startInTurns(server: Server): void {
  const handlers = server.listeners("request") as ((request: IncomingMessage, response: ServerResponse) => void)[];
  server.removeAllListeners("request");
  const lines = new Map<string, Start[]>();

  function turn(): void {
    const [[session, line] = ["", []]] = lines;
    line.shift()?.();
    lines.delete(session);
    // Behind all others, who come first next time.
    if (line.length > 0) lines.set(session, line);
    if (lines.size > 0) setImmediate(turn);
  }

  server.on("request", (request, response) => {
    const start = () => {
      if (request.socket.destroyed) return;
      for (const handle of handlers) handle.call(server, request, response);
    };
    const session = sessionOf(request.headers.cookie, request.headers.authorization);
    if (lines.size === 0) setImmediate(turn);
    const line = lines.get(session) ?? [];
    line.push(start);
    lines.set(session, line);
  });
}
