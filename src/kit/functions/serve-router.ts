import { type AnyTRPCRouter, getTRPCErrorShape, TRPCError } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import { refuseForeign } from "../auth/identity";
import { asAnswer, retryAfter } from "../database/database-unavailable";
import { readJsonText } from "../http/read-json";
import { formatReads, readsHeader } from "../live/reads";
import { serveChanges } from "../live/serve-changes";
import { reportFailure, withRequestId } from "../log/scope";
import { limits } from "../process/limits";
import { createCaller } from "./caller";
import { RateLimited } from "./rate-limit";
import { transformer } from "./transformer";
import { isHidden, t } from "./trpc";

const changesPath = "/api/trpc/_kit.changes";

/** Serves the functions of `router` at `/api/trpc`. */
export function serveRouter(router: AnyTRPCRouter) {
  return withRequestId(async (request) => {
    const caller = createCaller(request);
    if (request.method === "GET" && new URL(request.url).pathname === changesPath) {
      // Who it is only counts: what is told are names of tables.
      return serveChanges(request, await caller.identity().catch(() => null));
    }
    let received: Request;
    try {
      received = await withBody(request);
    } catch (error) {
      return refuseBody(error);
    }
    const response = await fetchRequestHandler({
      endpoint: "/api/trpc",
      req: received,
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
      maxBatchSize: limits.batchCalls,
      responseMeta({ errors, paths }) {
        const limited = errors.find((error) => error instanceof RateLimited);
        const isHiddenHere = (error: TRPCError) => paths?.some((path) => isHidden(error, path)) === true;
        // The status that tRPC gives calls of which this one does not exist.
        const isAllMissing =
          errors.length === paths?.length && errors.every((error) => error.code === "NOT_FOUND" || isHiddenHere(error));
        const isUnavailable = errors.some(({ code }) => code === "SERVICE_UNAVAILABLE");
        return {
          ...(errors.some(isHiddenHere) && { status: isAllMissing ? 404 : 207 }),
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
    // Answers are of who asks, and of now.
    if (!response.headers.has("cache-control")) response.headers.set("Cache-Control", "private, no-store");
    return response;
  });
}

/** Refuses a body before it is parsed, in the form that clients expect. */
function refuseBody(error: unknown): Response {
  if (!(error instanceof TRPCError)) throw error;
  const shape = getTRPCErrorShape({
    error,
    type: "unknown",
    path: undefined,
    input: undefined,
    ctx: undefined,
    config: t._config,
  });
  const headers = { "Cache-Control": "private, no-store" };
  return Response.json({ error: transformer.serialize(shape) }, { status: getHTTPStatusCodeFromError(error), headers });
}

/**
 * The request with its body read, of a size and a number of values that take no time to parse. `curl -X POST` of a mutation
 * without arguments sends no body; tRPC wants one, and its type.
 */
async function withBody(request: Request): Promise<Request> {
  if (request.method === "GET" || request.method === "HEAD") return request;
  const headers = new Headers(request.headers);
  if (!headers.has("content-type")) headers.set("content-type", "application/json");
  const calls = new URL(request.url).pathname.split(",").length;
  const body = await readJsonText(request, limits.jsonBytes, Math.min(calls, limits.batchCalls) * valuesOfCall);
  const { url, method, signal } = request;
  return new Request(url, { method, headers, body: body || "{}", signal });
}

/** With those of its annotations: a path, a list, and two of how they are kept. */
const valuesOfCall = limits.argumentValues + 4 * limits.argumentAnnotations;
