import { TRPCError } from "@trpc/server";
import type { ActionCtx } from "../functions/context";
import { quote } from "../log/text";

const methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"] as const;
type Method = (typeof methods)[number];

interface RouteOptions {
  method: Method;
  handler: HttpAction;
  /** Bytes of a request's body; 20 MiB by default. Hosts may have a lower cap of their own. */
  maxRequestSize?: number;
  /** Bytes of a response's body; 20 MiB by default. */
  maxResponseSize?: number;
  /** Set by `cors(…)`. */
  cors?: Cors;
}

/** One path exactly, or every path that starts with a prefix. */
export type Route = RouteOptions & ({ path: string; pathPrefix?: never } | { pathPrefix: string; path?: never });

/** What a request is answered by: a route, or the methods that its path has instead; `null` where it has none. */
export type Lookup = { route: Route } | { allow: Method[]; cors: Route[] } | null;

export interface HttpRouter {
  /** Adds a route. Throws when it is not one, or is taken. */
  route(route: Route): void;
  /** The exact path first, then the longest prefix, among the routes of the method. */
  lookup(path: string, method: string): Lookup;
  /** Exact routes by path and method, then prefixes. */
  getRoutes(): Route[];
}

/** The router of an app's HTTP actions: `http.ts` adds its routes and exports it. */
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
        throw new Error(`Cannot add ${route.method} ${kind} ${JSON.stringify(path)}: it has a route already`);
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

/** Routes are written by hand, in JavaScript too: what the types say is checked again. */
function checkRoute({ path, pathPrefix, method, handler }: Partial<Route>): void {
  const quoted = JSON.stringify(path ?? pathPrefix);
  if (typeof handler?.answer !== "function") throw new Error(`Route ${quoted} needs a handler made by httpAction`);
  if (method === undefined) throw new Error(`Route ${quoted} needs a method, one of ${methods.join(", ")}`);
  if (!methods.includes(method)) {
    throw new Error(`Route ${quoted} has method ${JSON.stringify(method)}; it must be one of ${methods.join(", ")}`);
  }
  if (path !== undefined && pathPrefix !== undefined) {
    throw new Error(`Route ${quoted} has both path and pathPrefix ${JSON.stringify(pathPrefix)}; give it one of them`);
  }
  if (path === undefined && pathPrefix === undefined) {
    throw new Error(`A ${method} route has neither path nor pathPrefix; give it one of them`);
  }
  if (!(path ?? pathPrefix)?.startsWith("/")) throw new Error(`Route ${quoted} must start with "/"`);
  if (pathPrefix?.endsWith("/") === false) throw new Error(`pathPrefix ${quoted} must end with "/"`);
}

/**
 * What a request's path has after a route's `pathPrefix`, decoded; `+` is a space.
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
    throw new TRPCError({ code: "BAD_REQUEST", message: `Cannot decode path ${quote(suffix)}`, cause });
  }
}

/** A function that answers an HTTP request; `http.route` takes one. */
export interface HttpAction {
  readonly answer: (ctx: ActionCtx, request: Request) => Promise<Response>;
}

type Handler<Ctx> = (ctx: Ctx, request: Request) => Response | Promise<Response>;

interface HttpActionBuilder<Ctx> {
  (handler: Handler<Ctx>): HttpAction;
  /** The same builder with more in its `ctx`, or one that refuses by throwing. */
  use<More extends object>(narrow: (ctx: Ctx) => More | Promise<More>): HttpActionBuilder<Ctx & More>;
}

/**
 * A function that answers an HTTP request with what an action can do:
 *
 *     httpAction(async (ctx, request) => Response.json(await ctx.runQuery(messages.list)));
 */
export const httpAction = builder(async (ctx: ActionCtx) => ctx);

function builder<Ctx>(extend: (ctx: ActionCtx) => Promise<Ctx>): HttpActionBuilder<Ctx> {
  const build = (handler: Handler<Ctx>): HttpAction => ({
    async answer(ctx, request) {
      const response: unknown = await handler(await extend(ctx), request);
      if (response instanceof Response) return response;
      throw new TypeError(`HTTP actions must return a Response, not ${String(response)}`);
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
  /** `"*"`, or origins as `"https://app.example.com"` and `"https://*.example.com"`; `*` stands for any subdomain. */
  origins: "*" | readonly string[];
  /** Request headers a page may send; `["Content-Type"]` by default. */
  headers?: readonly string[];
  /** Response headers a page may read. */
  exposedHeaders?: readonly string[];
  /** Methods to allow; by default those that the path has. */
  methods?: readonly string[];
  /** Whether browsers send cookies; never together with `"*"`. */
  credentials?: boolean;
  /** Seconds that a browser remembers the preflight; a day by default. */
  maxAge?: number;
}

/** What a route answers pages of other origins with. */
interface Cors {
  allows(origin: string): boolean;
  /** Whether its pages may act with the visitor's cookie. */
  trusts(origin: string): boolean;
  /** Headers for any answer to an allowed origin. */
  headers(origin: string): Record<string, string>;
  /** Headers for the answer to its preflight. */
  preflightHeaders(origin: string, methods: readonly string[]): Record<string, string>;
}

/**
 * Opens routes to pages of other origins, preflights included:
 *
 *     const open = cors({ origins: ["https://app.example.com"] });
 *     http.route(open({ path: "/send", method: "POST", handler: send }));
 */
export function cors(options: CorsOptions): (route: Route) => Route {
  const { origins, credentials = false, maxAge = 86_400 } = options;
  const list = origins === "*" ? ["*"] : origins;
  const anyOrigin = list.includes("*");
  if (anyOrigin && credentials) {
    throw new Error('Cannot allow credentials from origins "*": any site could act for its visitors; list the origins');
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

/** `https://*.example.com` allows each of its subdomains, of any depth, and not `https://example.com` itself. */
function originPattern(origin: string): RegExp {
  const [, scheme, wildcard = "", host] = /^(https?:\/\/)(\*\.)?([\w.:[\]-]+)$/.exec(origin) ?? [];
  if (!scheme || !host) {
    throw new Error(
      `Invalid origin ${JSON.stringify(origin)}; write "https://app.example.com" or "https://*.example.com"`,
    );
  }
  const subdomains = wildcard && String.raw`([\w-]+\.)+`;
  return new RegExp(`^${literal(scheme)}${subdomains}${literal(host)}$`, "i");
}

const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
