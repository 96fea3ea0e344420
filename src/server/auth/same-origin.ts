import { publicOrigin } from "../origin";
import type { Credentials } from "./identity";

const safe = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether a page of another origin sent the request. Requests that change nothing are let through: what they answer only
 * pages of allowed origins can read. Without the headers that browsers send, it was no browser.
 */
export function isForeign({ method, headers, trusts }: Credentials): boolean {
  if (safe.has(method)) return false;
  const origin = headers.get("origin");
  if (origin !== null) return origin !== publicOrigin(headers) && !trusts?.(origin);
  const site = headers.get("sec-fetch-site");
  return site !== null && site !== "same-origin" && site !== "none";
}
