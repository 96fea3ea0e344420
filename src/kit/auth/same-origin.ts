import { publicOrigin, requestedHost } from "../http/origin";
import type { Credentials } from "./identity";

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
