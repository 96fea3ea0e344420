import type { IncomingMessage, ServerResponse } from "node:http";
import { withRequestId } from "../log/request-id";
import { nodeRequestBody } from "./node-request-body";
import { sendBody } from "./node-response-body";

/** Milliseconds that a client may go on sending what nobody reads. */
const lingering = 30_000;

/**
 * Serves Node's own request with a `Request → Response` handler. The endpoints that carry bytes are bound this way,
 * since App Router handlers cannot send `Content-Length` (docs/decisions/003).
 */
export function toNodeHandler(handle: (request: Request) => Promise<Response>) {
  const handled = withRequestId(handle);
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const response = await handled(toRequest(req));
    const rest = req.readableEnded ? undefined : discardRest(req);
    // A connection that closes with its answer would be reset by what the client still sends, and the answer lost.
    if (!res.shouldKeepAlive && response.status !== 408) await rest;
    res.statusCode = response.status;
    res.setHeaders(response.headers);
    await sendBody(response, res);
    void rest?.then(() => req.complete || req.destroy());
  };
}

function toRequest(req: IncomingMessage): Request {
  const headers = new Headers();
  for (const [name, values] of Object.entries(req.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  // There are no `Request`s of TRACE; handlers refuse what they do not know.
  const method = req.method === "TRACE" ? "UNKNOWN" : (req.method ?? "GET");
  const hasBody = method !== "GET" && method !== "HEAD";
  const body = hasBody ? nodeRequestBody(req) : null;
  // RFC 9112 §3.2.2: a target may have an authority. It is of no meaning: handlers read the path and the query.
  const target = (req.url ?? "").replace(/^https?:\/\/[^/?]*/i, "");
  const url = new URL(`http://localhost${target.startsWith("/") ? target : "/"}`);
  return new Request(url, { method, headers, body, ...(body && { duplex: "half" }) });
}

/** Lets the client send the rest of its body, for a while: cut off at once, browsers would not see the answer. */
async function discardRest(req: IncomingMessage): Promise<void> {
  req.resume();
  if (req.complete || req.destroyed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, lingering).unref();
    req.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
