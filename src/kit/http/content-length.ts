import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { processWide } from "../process/process-wide";

/** The responses of this process that are not sent yet, by the number that a header of their request carries. */
const responses = processWide("open responses", () => ({
  header: `x-response-${randomUUID()}`,
  count: 0,
  open: new Map<string, ServerResponse>(),
}));

/** Passes the response's number on in a header, which replaces one of that name from the client. */
export function noteResponse(request: IncomingMessage, response: ServerResponse): void {
  responses.count += 1;
  const id = String(responses.count);
  request.headers[responses.header] = id;
  request.headersDistinct[responses.header] = [id];
  responses.open.set(id, response);
  response.once("close", () => responses.open.delete(id));
}

/**
 * Sends `Content-Length` with the response to this request. Next.js leaves that header out of what a route handler returns, and
 * keeps one that is there already. The body must have exactly this many bytes. Without it, browsers show no progress, and
 * Safari plays no video. Does nothing where nothing watches the connections, for example in a test without a server.
 */
export function announceLength(request: Request, length: string): void {
  const response = responses.open.get(request.headers.get(responses.header) ?? "");
  if (response && !response.headersSent) response.setHeader("Content-Length", length);
}
