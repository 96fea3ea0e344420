import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";

/** Milliseconds that a client may go on sending after the answer. Cut off at once, browsers would not see the answer. */
const lingering = 30_000;

/**
 * Serves Node's own request with a `Request → Response` handler. The endpoints that carry bytes are bound this way,
 * since App Router handlers cannot send `Content-Length` (docs/decisions/003).
 */
export function toNodeHandler(handle: (request: Request) => Promise<Response>) {
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    // Uploads last as long as bytes come; the handler has its own limit for when none do.
    const server = (req.socket as { server?: { requestTimeout: number } }).server;
    if (server) server.requestTimeout = 0;
    const abort = new AbortController();
    res.once("close", () => abort.abort());
    const response = await handle(toRequest(req, abort.signal));
    res.statusCode = response.status;
    res.setHeaders(response.headers);
    await send(response, res);
    if (!req.readableEnded) discardRest(req);
  };
}

function toRequest(req: IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, values] of Object.entries(req.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const method = req.method ?? "GET";
  const hasBody = method !== "GET" && method !== "HEAD";
  const body = hasBody ? toWebStream(req) : null;
  // The authority is of no meaning: handlers read the path and the query.
  const url = new URL(`http://localhost${req.url?.startsWith("/") ? req.url : "/"}`);
  return new Request(url, { method, headers, body, signal, ...(body && { duplex: "half" }) });
}

/** `Readable.toWeb` would destroy the request, and with it the answer, when a handler stops reading. */
function toWebStream(req: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks = req.iterator({ destroyOnReturn: false });
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => {
        await chunks.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

async function send(response: Response, res: ServerResponse): Promise<void> {
  const reader = response.body?.getReader();
  res.once("close", () => reader?.cancel().catch(() => undefined));
  try {
    while (reader && !res.destroyed) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!res.write(value) && !res.destroyed) await Promise.race([once(res, "drain"), once(res, "close")]);
    }
    res.end();
  } catch (error) {
    // The status is out: breaking the connection is what tells the client that the body is not whole.
    console.error("Broke off an answer:", error);
    res.destroy();
  }
}

function discardRest(req: IncomingMessage): void {
  req.resume();
  const timer = setTimeout(() => req.destroy(), lingering);
  req.once("close", () => clearTimeout(timer));
}
