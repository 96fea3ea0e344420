import type { AnyTRPCRouter } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { refuseForeign } from "./auth/identity";
import { createCaller } from "./caller";
import { reportFailure } from "./calls/report-failure";
import { formatReads, readsHeader } from "./changes/reads";
import { serveChanges } from "./changes/serve-changes";
import { asAnswer, retryAfter } from "./database-unavailable";
import { limitBody } from "./http/limit-body";
import { RateLimited } from "./rate-limit";
import { withRequestId } from "./request-id";

/** Bytes of one request: arguments are JSON, files go to upload URLs. */
const maxBody = 1024 * 1024;
const changesPath = "/api/trpc/_kit.changes";

/** Serves the functions of `router` at `/api/trpc`. */
export function serveRouter(router: AnyTRPCRouter) {
  return withRequestId(async (request) => {
    if (request.method === "GET" && new URL(request.url).pathname === changesPath) return serveChanges(request);
    const caller = createCaller(request);
    return fetchRequestHandler({
      endpoint: "/api/trpc",
      req: limitBody(withBody(request), maxBody),
      router,
      async createContext() {
        refuseForeign(request);
        // Not only where a function asks: a caller whose token is refused should learn it.
        if (request.headers.has("authorization")) {
          await caller.identity().catch((error) => {
            throw asAnswer(error);
          });
        }
        return caller;
      },
      maxBatchSize: 50,
      responseMeta({ errors }) {
        const limited = errors.find((error) => error instanceof RateLimited);
        const isUnavailable = errors.some(({ code }) => code === "SERVICE_UNAVAILABLE");
        return {
          headers: {
            ...(caller.reads.size > 0 && { [readsHeader]: formatReads(caller.reads) }),
            ...(isUnavailable && { "Retry-After": String(retryAfter) }),
            ...(limited && { "Retry-After": String(limited.retryAfter) }),
          },
        };
      },
      onError({ error, path }) {
        if (error.code === "INTERNAL_SERVER_ERROR") reportFailure(caller.requestId, path, error);
      },
    });
  });
}

/** `curl -X POST` of a mutation without arguments sends no body; tRPC wants one, and its type. */
function withBody(request: Request): Request {
  if (request.method !== "POST") return request;
  const headers = new Headers(request.headers);
  if (!headers.has("content-type")) headers.set("content-type", "application/json");
  const { url, method, signal } = request;
  const body = request.body?.pipeThrough(orEmptyObject()) ?? "{}";
  const init: RequestInit & { duplex: "half" } = { method, headers, body, signal, duplex: "half" };
  return new Request(url, init);
}

function orEmptyObject(): TransformStream<Uint8Array, Uint8Array> {
  let isEmpty = true;
  return new TransformStream({
    transform(chunk, controller) {
      isEmpty &&= chunk.byteLength === 0;
      controller.enqueue(chunk);
    },
    flush: (controller) => (isEmpty ? controller.enqueue(new TextEncoder().encode("{}")) : undefined),
  });
}
