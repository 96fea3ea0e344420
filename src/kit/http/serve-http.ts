import { actionCtx, inActionTime } from "../functions/context";
import { type RequestContext as Caller, createRequestContext as createCaller } from "../functions/request-context";
import { observe } from "../log/observe";
import { withRequestId } from "../log/scope";
import { quote } from "../log/text";
import { passivePolicy } from "../storage/headers";
import { servedFiles } from "../storage/serve";
import { checkQuery, limitBody, limitResponse } from "./body";
import { announceLength } from "./content-length";
import { errorResponse } from "./error-response";
import type { HttpRouter, Lookup, Route } from "./http-router";

const defaultLimit = 20 * 1024 * 1024;

/** Serves an app's HTTP actions under the path `mount`. */
export function serveHttp(router: HttpRouter, mount = "/http") {
  return withRequestId(async (request) => {
    const url = new URL(request.url);
    const path = url.pathname.slice(mount.length) || "/";
    const found = router.lookup(path, request.method);
    if (!found) return new Response("No matching routes found", { status: 404 });
    if ("allow" in found) return otherMethod(request, found);
    const { cors } = found.route;
    const caller = createCaller({
      method: request.method,
      headers: request.headers,
      signal: request.signal,
      trusts: cors?.trusts,
    });
    // Actions see the public origin in the URL instead of the address on which the server listens.
    const seen = new Request(new URL(url.pathname + url.search, caller.origin), request);
    const response = await runRoute(found.route, seen, caller);
    const length = response.headers.get("content-length");
    if (length !== null && servedFiles.has(response)) announceLength(request, length);
    const answer = withCors(withSafeDefaults(response), found.route, request);
    if (request.method !== "HEAD") return answer;
    await answer.body?.cancel();
    return new Response(null, answer);
  });
}

async function runRoute(route: Route, request: Request, caller: Caller): Promise<Response> {
  try {
    checkQuery(new URL(request.url));
    const maxRequestSize = route.maxRequestSize ?? defaultLimit;
    const response = await answerRoute(route, limitBody(request, maxRequestSize), caller);
    return servedFiles.has(response) ? response : limitResponse(response, route.maxResponseSize ?? defaultLimit);
  } catch (error) {
    return errorResponse(error, nameOf(route), caller.requestId, isOfPerson(request));
  }
}

/** Whether a browser follows a link or sends a form. It shows its user what it gets, and a script would send another header. */
const isOfPerson = (request: Request) => request.headers.get("accept")?.includes("text/html") ?? false;

/** Runs a route's action, and records it in the function log. Throws what the action throws. */
export const answerRoute = (route: Route, request: Request, caller: Caller): Promise<Response> =>
  observe(
    { requestId: caller.requestId, name: nameOf(route), kind: "httpAction" },
    () => inActionTime(caller, (limited) => route.handler.answer(actionCtx(limited), request)),
    ({ status }) => (status < 400 ? "ok" : `HTTP ${status}`),
  );

/** Answers a request whose path has no route of this method: a preflight request, or 405. */
function otherMethod(request: Request, { allow, cors }: Extract<Lookup, { allow: unknown }>): Response {
  const [route] = cors;
  if (request.method === "OPTIONS" && route) return preflight(request, cors, route);
  const all = [...allow, ...(allow.includes("GET") ? ["HEAD"] : []), ...(route ? ["OPTIONS"] : [])];
  const message = `Cannot ${request.method} this path. It has ${allow.join(", ")}.`;
  const response = Response.json(
    { code: "METHOD_NOT_SUPPORTED", message },
    { status: 405, headers: { Allow: all.join(", ") } },
  );
  return route ? withCors(response, route, request) : response;
}

function preflight(request: Request, routes: Route[], first: Route): Response {
  const origin = request.headers.get("origin");
  const method = request.headers.get("access-control-request-method");
  const vary = { Vary: "Origin" };
  if (origin === null || method === null) return new Response(null, { headers: vary });
  const route = routes.find((candidate) => candidate.method === method) ?? first;
  if (!route.cors?.allows(origin)) {
    explainRefusal(origin, route);
    return new Response(null, { status: 204, headers: vary });
  }
  const methods = routes.map((candidate) => candidate.method);
  return new Response(null, { status: 204, headers: { ...route.cors.preflightHeaders(origin, methods), ...vary } });
}

/**
 * Keeps browsers from running scripts in a response and from guessing its type, because it may be an uploaded file. An action
 * that serves pages sets its own `Content-Security-Policy`.
 */
function withSafeDefaults(response: Response): Response {
  const headers = new Headers(response.headers);
  if (!headers.has("content-security-policy")) headers.set("Content-Security-Policy", passivePolicy);
  if (!headers.has("x-content-type-options")) headers.set("X-Content-Type-Options", "nosniff");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/** Adds the CORS headers. Errors need them, too, so that a page can read the error and explain it to its user. */
function withCors(response: Response, route: Route, request: Request): Response {
  if (!route.cors) return response;
  const headers = new Headers(response.headers);
  headers.append("Vary", "Origin");
  const origin = request.headers.get("origin");
  if (origin !== null && route.cors.allows(origin)) {
    for (const [name, value] of Object.entries(route.cors.headers(origin))) headers.set(name, value);
  } else if (origin !== null && origin !== new URL(request.url).origin) {
    explainRefusal(origin, route);
  }
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/** Logs in development why an origin was refused, because browsers do not say it. */
function explainRefusal(origin: string, route: Route): void {
  if (process.env.NODE_ENV === "production") return;
  console.warn(`CORS: origin ${quote(origin)} may not call ${nameOf(route)}. Add it to the route's cors({ origins }).`);
}

const nameOf = ({ method, path, pathPrefix }: Route) => `${method} ${path ?? `${pathPrefix}*`}`;
