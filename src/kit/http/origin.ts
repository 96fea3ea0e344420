import type { Credentials } from "../auth/identity";
import { env } from "../process/env";

/**
 * Where the app is, as `https://files.example.com`: `APP_ORIGIN`. On Vercel without it, what Vercel calls this deployment,
 * by the name that the request came for if it is one of those. Only in development, and only without it, whatever the
 * request names, so that phones and tunnels work; in production a header is never trusted for it.
 */
export function publicOrigin(headers: Headers): string {
  if (env.APP_ORIGIN) return env.APP_ORIGIN;
  const requested = requestedHost(headers);
  const names = vercelNames();
  if (names[0]) return `https://${names.find((name) => name === requested) ?? names[0]}`;
  return `${first(headers.get("x-forwarded-proto")) ?? "http"}://${requested ?? `localhost:${process.env.PORT ?? 3000}`}`;
}

/** The host that the client asked for, as far as proxies pass it on. Each that adds itself to a list does so at its end. */
const requestedHost = (headers: Headers): string | null =>
  first(headers.get("x-forwarded-host")) ?? headers.get("host");

const first = (list: string | null): string | null => list?.split(",")[0]?.trim() || null;

/** The hosts that Vercel serves this deployment under, the best first; none elsewhere. */
function vercelNames(): string[] {
  const { VERCEL, VERCEL_ENV, VERCEL_PROJECT_PRODUCTION_URL, VERCEL_BRANCH_URL, VERCEL_URL } = process.env;
  if (VERCEL !== "1") return [];
  const best = VERCEL_ENV === "production" ? VERCEL_PROJECT_PRODUCTION_URL : VERCEL_BRANCH_URL;
  return [best, VERCEL_URL].filter((name): name is string => Boolean(name));
}

const safe = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether a page of another origin sent the request. A page that this app served is never foreign, by whatever name the
 * app was called. Requests that change nothing are let through: what they answer only pages of allowed origins can read.
 * Without the headers that browsers send, it was no browser.
 */
export function isForeign({ method, headers, trusts }: Credentials): boolean {
  if (safe.has(method)) return false;
  const site = headers.get("sec-fetch-site");
  if (site === "same-origin" || site === "none") return false;
  const origin = headers.get("origin");
  if (origin === null) return site !== null;
  return origin !== publicOrigin(headers) && !isOfRequestedHost(origin, headers) && !trusts?.(origin);
}

/** Older browsers say only where the page is from. What host they asked for no page can change. */
function isOfRequestedHost(origin: string, headers: Headers): boolean {
  // With the header that newer browsers send, they have said already that it is another.
  if (headers.get("sec-fetch-site") !== null || !URL.canParse(origin)) return false;
  return new URL(origin).host === requestedHost(headers);
}
