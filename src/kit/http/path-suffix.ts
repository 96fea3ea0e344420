import { TRPCError } from "@trpc/server";
import { quote } from "../process/quote";

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
