import {
  type AnyTRPCProcedure,
  type AnyTRPCRouter,
  getTRPCErrorShape,
  TRPCError,
  type TrackedEnvelope,
} from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import { z } from "zod";
import { calls } from "../dashboard/calls";
import { data } from "../dashboard/data";
import { files } from "../dashboard/files";
import { functions as runnable } from "../dashboard/functions";
import { overview } from "../dashboard/overview";
import { schedule } from "../dashboard/schedule";
import { health, settings } from "../dashboard/settings";
import { users } from "../dashboard/users";
import { retryAfter } from "../database/errors";
import { checkQuery, readJsonText } from "../http/body";
import { type HttpRouter, httpRouter } from "../http/http-router";
import { type CronJobs, cronJobs } from "../jobs/crons";
import { formatReads, readsHeader } from "../live/reads";
import { serveChanges } from "../live/serve-changes";
import { reportFailure, withRequestId } from "../log/scope";
import { limits } from "../process/limits";
import { answerCalls } from "./answer-calls";
import { isHidden, t } from "./builders";
import { RateLimited } from "./rate-limit";
import { createRequestContext, type RequestContext, refuseWrongSender } from "./request-context";
import { type Module, register } from "./server-function";
import { transformer } from "./transformer";

type Procedures<M extends Module> = { [Name in keyof M as M[Name] extends AnyTRPCProcedure ? Name : never]: M[Name] };

/**
 * The tRPC router of the functions in these files: `{ messages, files }` is served as `messages.list` and so on. It has the
 * kit's own procedures too, as `_kit` and `dashboard`.
 *
 * @param app what the dashboard shows besides the functions
 */
export function createRouter<Modules extends Record<string, Module>>(
  modules: Modules,
  { http, crons }: { http: HttpRouter; crons: CronJobs } = { http: httpRouter(), crons: cronJobs() },
) {
  const routers = Object.entries(modules).map(([file, module]) => {
    register(file, module);
    const procedures = Object.entries(module).filter(([, exported]) => isProcedure(exported));
    return [file, Object.fromEntries(procedures)] as const;
  });
  const functions = Object.fromEntries(routers) as { [File in keyof Modules]: Procedures<Modules[File]> };
  // These procedures are for administrators only.
  const dashboard = t.router({
    overview,
    data,
    files,
    functions: runnable(http),
    schedule: schedule(crons),
    calls,
    health,
    users,
    settings: settings(http),
  });
  return t.router({ ...functions, _kit: { changes }, dashboard });
}

const isProcedure = (exported: unknown): boolean => typeof exported === "function" && "_def" in exported;

/** The router that every app has. */
export type KitRouter = ReturnType<typeof createRouter<Record<never, never>>>;

/**
 * A subscription for browsers: the tables that changed after the last event they know, or `null` when any may have. Only its
 * type is used: `serveChanges` serves it at one address, and limits the streams. Any other call ends here.
 */
const changes = t.procedure
  .input(z.object({ lastEventId: z.string().nullish(), byScope: z.boolean().optional() }))
  .subscription((): AsyncIterable<TrackedEnvelope<string[] | null>> => {
    throw new TRPCError({ code: "NOT_FOUND", message: "Changes are streamed at /api/trpc/_kit.changes alone." });
  });

const changesPath = "/api/trpc/_kit.changes";

/** Serves the functions of `router` at `/api/trpc`. */
export const serveRouter = (router: AnyTRPCRouter) => withRequestId(serveCalls(router));

const methods = ["GET", "HEAD", "POST"];

/** Like `serveRouter`, for requests that already have an id. */
export function serveCalls(router: AnyTRPCRouter) {
  async function answerPlainly(request: Request, context: RequestContext): Promise<Response | null> {
    const path = new URL(request.url).pathname.slice("/api/trpc/".length);
    if (!/^[\w.,-]+$/.test(path)) return null;
    const isRefused = await refuseWrongSender(request, context).then(
      () => false,
      () => true,
    );
    if (isRefused) return null;
    const { requestId } = context;
    return answerCalls({
      router,
      request,
      context,
      path,
      metaOf: (errors, paths) => metaOf(context, errors, paths),
      onError: (error, path) => reportUnexpected(requestId, path, error),
    });
  }

  const answerByTrpc = (request: Request, context: RequestContext) =>
    fetchRequestHandler({
      endpoint: "/api/trpc",
      req: request,
      router,
      async createContext() {
        await refuseWrongSender(request, context);
        return context;
      },
      maxBatchSize: limits.batchCalls,
      responseMeta: ({ errors, paths = [] }) => metaOf(context, errors, paths),
      onError: ({ error, path }) => reportUnexpected(context.requestId, path, error),
    });

  return async (request: Request): Promise<Response> => {
    if (!methods.includes(request.method)) {
      const status = request.method === "OPTIONS" ? 204 : 405;
      return new Response(null, { status, headers: { Allow: [...methods, "OPTIONS"].join(", ") } });
    }
    const context = createRequestContext(request);
    const url = new URL(request.url);
    if (request.method === "GET" && url.pathname === changesPath) {
      // The identity is only used for counting, because the stream has nothing but names of tables.
      return serveChanges(request, await context.identity().catch(() => null));
    }
    let received: Request;
    try {
      checkQuery(url);
      received = await withBody(request);
    } catch (error) {
      return refuseRequest(error);
    }
    const response = (await answerPlainly(received, context)) ?? (await answerByTrpc(received, context));
    // Responses depend on the identity and on the moment.
    if (!response.headers.has("cache-control")) response.headers.set("Cache-Control", "private, no-store");
    return response;
  };
}

function reportUnexpected(requestId: string, path: string | undefined, error: TRPCError): void {
  if (error.code === "INTERNAL_SERVER_ERROR") reportFailure(requestId, path, error);
}

/** The status and the headers of a response, by the errors of its calls. */
function metaOf({ reads }: RequestContext, errors: TRPCError[], paths: readonly string[]) {
  const limited = errors.find((error) => error instanceof RateLimited);
  const isHiddenHere = (error: TRPCError) => paths.some((path) => isHidden(error, path));
  // The status that tRPC would answer if this procedure did not exist.
  const isAllMissing =
    errors.length === paths.length && errors.every((error) => error.code === "NOT_FOUND" || isHiddenHere(error));
  const isUnavailable = errors.some(({ code }) => code === "SERVICE_UNAVAILABLE");
  return {
    ...(errors.some(isHiddenHere) && { status: isAllMissing ? 404 : 207 }),
    headers: {
      ...(reads.size > 0 && { [readsHeader]: formatReads(reads) }),
      ...(isUnavailable && { "Retry-After": String(retryAfter) }),
      ...(limited && { "Retry-After": String(limited.retryAfter) }),
    },
  };
}

/** The response that refuses a request before its arguments are parsed, in the form that clients expect. */
function refuseRequest(error: unknown): Response {
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
 * Returns the request with its body, whose size and number of values are limited before it is parsed. `curl -X POST` of a
 * mutation without arguments sends no body, but tRPC expects one, and its type.
 */
async function withBody(request: Request): Promise<Request> {
  if (request.method === "GET" || request.method === "HEAD") return request;
  const calls = new URL(request.url).pathname.split(",").length;
  const body =
    (await readJsonText(request, limits.jsonBytes, Math.min(calls, limits.batchCalls) * valuesOfCall)) || "{}";
  const { url, method, headers, signal } = request;
  if (!headers.has("content-type")) headers.set("content-type", "application/json");
  // tRPC reads JSON by this method alone. Making another request would take as long as many a call.
  if (/^application\/json\b/i.test(headers.get("content-type") ?? "")) {
    return Object.assign(request, { json: async (): Promise<unknown> => JSON.parse(body) });
  }
  return new Request(url, { method, headers, body, signal });
}

/** Values in the JSON of one call. An annotation has four: a path, a list, and two that hold them. */
const valuesOfCall = limits.argumentValues + 4 * limits.argumentAnnotations;
