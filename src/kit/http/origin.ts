import { env, onVercel } from "../process/env";

/**
 * Returns the public origin of the app, for example `https://files.example.com`. This is `APP_ORIGIN`. Without it, on Vercel,
 * it is the name of the deployment that the request used, or else its best one. In development it is the host that the request
 * names, so that phones and tunnels work. Other servers require `APP_ORIGIN`, because a client can send any header.
 */
export function publicOrigin(headers: Headers): string {
  if (env.APP_ORIGIN) return env.APP_ORIGIN;
  const requested = requestedHost(headers);
  const names = vercelNames();
  if (names[0]) return `https://${names.find((name) => name === requested) ?? names[0]}`;
  return `${first(headers.get("x-forwarded-proto")) ?? "http"}://${requested ?? `localhost:${process.env.PORT ?? 3000}`}`;
}

/** The host that the client asked for. Each proxy appends to the list in the header, so the client's host is the first. */
const requestedHost = (headers: Headers): string | null =>
  first(headers.get("x-forwarded-host")) ?? headers.get("host");

const first = (list: string | null): string | null => list?.split(",")[0]?.trim() || null;

/** The hosts under which Vercel serves this deployment, the best first. Empty on other hosts. */
function vercelNames(): string[] {
  const { VERCEL_ENV, VERCEL_PROJECT_PRODUCTION_URL, VERCEL_BRANCH_URL, VERCEL_URL } = process.env;
  if (!onVercel()) return [];
  const best = VERCEL_ENV === "production" ? VERCEL_PROJECT_PRODUCTION_URL : VERCEL_BRANCH_URL;
  return [best, VERCEL_URL].filter((name): name is string => Boolean(name));
}

/** The parts of a request that tell who sent it. */
export interface Credentials {
  method: string;
  headers: Headers;
  /** Aborted when the client goes away. */
  signal?: AbortSignal;
  /** Whether pages of this origin may use the visitor's cookie. */
  trusts?: (origin: string) => boolean;
}

const safe = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether a page of another origin sent the request. A page that this app served is never foreign, under any host name.
 * Requests that change nothing are allowed, because pages of other origins cannot read the response. A request without the
 * headers that browsers send does not come from a browser.
 */
export function isForeign({ method, headers, trusts }: Credentials): boolean {
  if (safe.has(method)) return false;
  const site = headers.get("sec-fetch-site");
  if (site === "same-origin" || site === "none") return false;
  const origin = headers.get("origin");
  if (origin === null) return site !== null;
  return origin !== publicOrigin(headers) && !isOfRequestedHost(origin, headers) && !trusts?.(origin);
}

/**
 * Whether the page's origin is the host that the request asks for. Older browsers need this check. A page cannot change that
 * header.
 */
function isOfRequestedHost(origin: string, headers: Headers): boolean {
  // Newer browsers send this header, and it has already said that the origin is another one.
  if (headers.get("sec-fetch-site") !== null || !URL.canParse(origin)) return false;
  const { protocol, host } = new URL(origin);
  const requested = requestedHost(headers) ?? "";
  // Proxies may write capitals, and a port that the scheme has anyway. No host name has other characters.
  const isHost = /^[\w.:[\]-]+$/.test(requested) && URL.canParse(`${protocol}//${requested}`);
  return isHost && new URL(`${protocol}//${requested}`).host === host;
}
