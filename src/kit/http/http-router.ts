import { TRPCError } from "@trpc/server";
import { quote } from "../log/text";
import type { Cors } from "./cors";
import type { HttpAction } from "./http-action";

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
