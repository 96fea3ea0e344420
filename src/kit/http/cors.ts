import type { Route } from "./http-router";

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
export interface Cors {
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
