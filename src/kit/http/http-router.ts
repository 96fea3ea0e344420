import { TRPCError } from "@trpc/server";
import type { ActionCtx } from "../functions/context";
import { quote } from "../log/text";

const methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"] as const;
type Method = (typeof methods)[number];

interface RouteOptions {
  method: Method;
  handler: HttpAction;
  /** The largest request body, in bytes. Default: 20 MiB. The host may have a lower limit. */
  maxRequestSize?: number;
  /** The largest response body, in bytes. Default: 20 MiB. */
  maxResponseSize?: number;
  /** Set by `cors(…)`. */
  cors?: Cors;
}

/** A route for one exact path, or for every path that starts with a prefix. */
export type Route = RouteOptions & ({ path: string; pathPrefix?: never } | { pathPrefix: string; path?: never });

/** The route for a request. Without one: the methods that the path has, or `null` when no route has the path. */
export type Lookup = { route: Route } | { allow: Method[]; cors: Route[] } | null;

export interface HttpRouter {
  /** Adds a route. Throws when the route is malformed, or when its path already has the method. */
  route(route: Route): void;
  /** Finds the route with this exact path and method, or else the one with the longest prefix. */
  lookup(path: string, method: string): Lookup;
  /** Lists exact routes by path and method, then prefixes. */
  getRoutes(): Route[];
}

/** Makes the router for an app's HTTP actions. `http.ts` adds routes and exports it. */
export function httpRouter(): HttpRouter {
  const exact = new Map<string, Map<Method, Route>>();
  const prefixes = new Map<string, Map<Method, Route>>();

  return {
    route(route) {
      checkRoute(route);
      const table = route.path === undefined ? prefixes : exact;
      const path = route.path ?? route.pathPrefix;
      const routes = table.get(path) ?? new Map<Method, Route>();
      if (routes.has(route.method)) {
        const kind = route.path === undefined ? "pathPrefix" : "path";
        throw new Error(`Cannot add ${route.method} ${kind} ${JSON.stringify(path)}: it has a route already.`);
      }
      table.set(path, routes.set(route.method, route));
    },

    lookup(path, method) {
      const wanted = method === "HEAD" ? "GET" : method;
      const longest = [...prefixes]
        .filter(([prefix]) => path.startsWith(prefix))
        .sort(([one], [other]) => other.length - one.length);
      const tables = [exact.get(path), ...longest.map(([, routes]) => routes)].filter((table) => table !== undefined);
      for (const table of tables) {
        const route = [...table.values()].find((candidate) => candidate.method === wanted);
        if (route) return { route };
      }
      const routes = tables.flatMap((table) => [...table.values()]);
      if (routes.length === 0) return null;
      return { allow: [...new Set(routes.map((route) => route.method))], cors: routes.filter((route) => route.cors) };
    },

    getRoutes: () => [...listed(exact), ...listed(prefixes)],
  };
}

function listed(table: Map<string, Map<Method, Route>>): Route[] {
  const order = (route: Route) => `${route.path ?? route.pathPrefix} ${route.method}`;
  return [...table.values()]
    .flatMap((routes) => [...routes.values()])
    .sort((one, other) => (order(one) < order(other) ? -1 : 1));
}

/** Checks what the types say, because JavaScript can add routes, too. */
function checkRoute({ path, pathPrefix, method, handler }: Partial<Route>): void {
  const quoted = JSON.stringify(path ?? pathPrefix);
  if (typeof handler?.answer !== "function") throw new Error(`Route ${quoted} needs a handler made by httpAction.`);
  if (method === undefined) throw new Error(`Route ${quoted} needs a method, one of ${methods.join(", ")}.`);
  if (!methods.includes(method)) {
    throw new Error(`Route ${quoted} has method ${JSON.stringify(method)}. Use one of ${methods.join(", ")}.`);
  }
  if (path !== undefined && pathPrefix !== undefined) {
    throw new Error(`Route ${quoted} has both path and pathPrefix ${JSON.stringify(pathPrefix)}. Give it one of them.`);
  }
  if (path === undefined && pathPrefix === undefined) {
    throw new Error(`A ${method} route has neither path nor pathPrefix. Give it one of them.`);
  }
  if (!(path ?? pathPrefix)?.startsWith("/")) throw new Error(`Route ${quoted} must start with "/".`);
  if (pathPrefix?.endsWith("/") === false) throw new Error(`pathPrefix ${quoted} must end with "/".`);
}

/**
 * Returns the part of a request's path that follows a route's `pathPrefix`, decoded. `+` becomes a space.
 *
 *     /http/getAuthorMessages/User+123 → "User 123"
 *
 * Throws a `BAD_REQUEST` for a malformed `%`.
 */
export function pathSuffix(request: Request, pathPrefix: string): string {
  const { pathname } = new URL(request.url);
  const suffix = pathname.slice(pathname.indexOf(pathPrefix) + pathPrefix.length);
  try {
    return decodeURIComponent(suffix.replaceAll("+", " "));
  } catch (cause) {
    throw new TRPCError({ code: "BAD_REQUEST", message: `Cannot decode path ${quote(suffix)}.`, cause });
  }
}

/** A function that answers an HTTP request. Pass it to `http.route`. */
export interface HttpAction {
  readonly answer: (ctx: ActionCtx, request: Request) => Promise<Response>;
}

type Handler<Ctx> = (ctx: Ctx, request: Request) => Response | Promise<Response>;

interface HttpActionBuilder<Ctx> {
  (handler: Handler<Ctx>): HttpAction;
  /** Returns the same builder with more in its `ctx`. It can refuse a request by throwing. */
  use<More extends object>(narrow: (ctx: Ctx) => More | Promise<More>): HttpActionBuilder<Ctx & More>;
}

/**
 * Makes a function that answers an HTTP request. Its `ctx` is that of an action:
 *
 *     httpAction(async (ctx, request) => Response.json(await ctx.runQuery(messages.list)));
 */
export const httpAction = builder(async (ctx: ActionCtx) => ctx);

function builder<Ctx>(extend: (ctx: ActionCtx) => Promise<Ctx>): HttpActionBuilder<Ctx> {
  const build = (handler: Handler<Ctx>): HttpAction => ({
    async answer(ctx, request) {
      const response: unknown = await handler(await extend(ctx), request);
      if (response instanceof Response) return response;
      throw new TypeError(`HTTP actions must return a Response, not ${String(response)}.`);
    },
  });
  return Object.assign(build, {
    use: <More extends object>(narrow: (ctx: Ctx) => More | Promise<More>) =>
      builder(async (ctx: ActionCtx) => {
        const base = await extend(ctx);
        return { ...base, ...(await narrow(base)) };
      }),
  });
}

interface CorsOptions {
  /** `"*"`, or origins such as `"https://app.example.com"` and `"https://*.example.com"`. `*` stands for any subdomain. */
  origins: "*" | readonly string[];
  /** Request headers that a page may send. Default: `["Content-Type"]`. */
  headers?: readonly string[];
  /** Response headers that a page may read. Default: none. */
  exposedHeaders?: readonly string[];
  /** Methods to allow. Default: those that the path has. */
  methods?: readonly string[];
  /** Whether browsers send cookies. Cannot be combined with `"*"`. Default: false. */
  credentials?: boolean;
  /** How long a browser remembers the preflight response, in seconds. Default: one day. */
  maxAge?: number;
}

/** How a route responds to pages of other origins. */
interface Cors {
  allows(origin: string): boolean;
  /** Whether pages of this origin may use the visitor's cookie. */
  trusts(origin: string): boolean;
  /** Headers of every response to an allowed origin. */
  headers(origin: string): Record<string, string>;
  /** Headers of the response to its preflight request. */
  preflightHeaders(origin: string, methods: readonly string[]): Record<string, string>;
}

/**
 * Makes a function that opens routes to pages of other origins. The router then also answers their preflight requests:
 *
 *     const open = cors({ origins: ["https://app.example.com"] });
 *     http.route(open({ path: "/send", method: "POST", handler: send }));
 */
export function cors(options: CorsOptions): (route: Route) => Route {
  const { origins, credentials = false, maxAge = 86_400 } = options;
  const list = origins === "*" ? ["*"] : origins;
  const anyOrigin = list.includes("*");
  if (anyOrigin && credentials) {
    throw new Error(
      'Cannot allow credentials for origins "*", because any site could then act for its visitors. List the origins.',
    );
  }
  const patterns = anyOrigin ? [] : list.map(originPattern);
  const allows = (origin: string) => anyOrigin || patterns.some((pattern) => pattern.test(origin));
  const headers = (origin: string): Record<string, string> => ({
    "Access-Control-Allow-Origin": anyOrigin ? "*" : origin,
    ...(credentials && { "Access-Control-Allow-Credentials": "true" }),
    ...(options.exposedHeaders && { "Access-Control-Expose-Headers": options.exposedHeaders.join(", ") }),
  });
  const allowed: Cors = {
    allows,
    trusts: (origin) => credentials && allows(origin),
    headers,
    preflightHeaders: (origin, methods) => ({
      ...headers(origin),
      "Access-Control-Allow-Methods": (options.methods ?? methods).join(", "),
      "Access-Control-Allow-Headers": (options.headers ?? ["Content-Type"]).join(", "),
      "Access-Control-Max-Age": String(maxAge),
    }),
  };
  return (route) => ({ ...route, cors: allowed });
}

/** `https://*.example.com` matches subdomains of any depth, but not `https://example.com` itself. */
function originPattern(origin: string): RegExp {
  const [, scheme, wildcard = "", host] = /^(https?:\/\/)(\*\.)?([\w.:[\]-]+)$/.exec(origin) ?? [];
  if (!scheme || !host) {
    throw new Error(
      `Invalid origin ${JSON.stringify(origin)}. Write for example "https://app.example.com" or "https://*.example.com".`,
    );
  }
  const subdomains = wildcard && String.raw`([\w-]+\.)+`;
  return new RegExp(`^${literal(scheme)}${subdomains}${literal(host)}$`, "i");
}

const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
