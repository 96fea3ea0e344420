import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";

/** A server on loopback that speaks the wire protocol of a service, as far as the kit uses it. */
export interface StandIn {
  url: string;
  /**
   * Replaces what the service does with a request: by an answer, a cut connection, or silence. By default it does nothing.
   */
  intercept: (request: IncomingMessage) => Instead | LostAnswer | undefined;
  stop(): Promise<void>;
}

type Instead = number | Answer | "cut" | "silence";

/** The service does what it was asked to, and the client does not learn it. */
export interface LostAnswer {
  /** What the client gets. */
  instead: Instead;
  /** Puts off what the service does until after that. */
  later?: (act: () => Promise<unknown>) => void;
}

export interface Answer {
  status: number;
  headers?: OutgoingHttpHeaders;
  body?: string | Buffer;
}

/**
 * Pages of any origin may call it, like buckets that are configured for direct uploads. No header of an answer is exposed.
 */
const cors = { "Access-Control-Allow-Origin": "*" };
const preflight = { ...cors, "Access-Control-Allow-Methods": "GET, PUT, POST", "Access-Control-Allow-Headers": "*" };

export async function startStandIn(
  answer: (request: IncomingMessage, body: Buffer) => Answer | Promise<Answer>,
  port = 0,
): Promise<StandIn> {
  const server = createServer((request, response) => {
    serve(request, response).catch((error) => {
      if (!request.destroyed) console.error("The stand-in failed:", error);
      response.destroy();
    });
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const intercepted = standIn.intercept(request);
    const lost = typeof intercepted === "object" && "instead" in intercepted ? intercepted : null;
    const instead = lost ? lost.instead : (intercepted as Exclude<typeof intercepted, LostAnswer>);
    if (instead === "cut" && !lost) return void request.socket.destroy();
    if (instead === "silence" && !lost) return;
    if (request.method === "OPTIONS" && !instead) return void response.writeHead(204, preflight).end();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const act = async () => answer(request, Buffer.concat(chunks));
    if (lost?.later) lost.later(act);
    else if (lost) await act();
    if (instead === "cut") return void request.socket.destroy();
    if (instead === "silence") return;
    const { status, headers, body }: Answer =
      typeof instead === "number" ? { status: instead } : (instead ?? (await act()));
    const length = request.method === "HEAD" ? {} : { "Content-Length": String(Buffer.byteLength(body ?? "")) };
    response.setHeaders(new Map(Object.entries({ ...cors, ...length, ...headers }))).writeHead(status);
    response.end(request.method === "HEAD" ? undefined : body);
  }

  // If an idle connection were closed just as it is used again, a request would fail.
  server.keepAliveTimeout = 0;
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The stand-in has no port");
  const standIn: StandIn = {
    url: `http://127.0.0.1:${address.port}`,
    intercept: () => undefined,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return standIn;
}

const etags = new WeakMap<Buffer, string>();

/** The entity tag that a store gives these bytes. It is computed once, because tests ask for it often. */
export function etag(bytes: Buffer): string {
  const tag = etags.get(bytes) ?? `"${createHash("md5").update(bytes).digest("hex")}"`;
  etags.set(bytes, tag);
  return tag;
}
