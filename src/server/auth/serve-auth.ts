import { DatabaseUnavailable, retryAfter } from "../database-unavailable";
import { limitRate, RateLimited } from "../rate-limit";
import { withRequestId } from "../request-id";
import { auth } from "./better-auth";
import type { Owners } from "./owners";

/**
 * Signing in and out, and tokens, at `/api/auth` (Better Auth's own endpoints).
 *
 * @param owners what a visitor takes along who becomes an account
 */
export const serveAuth = (owners: Owners) => withRequestId((request) => answer(request, owners));

async function answer(request: Request, owners: Owners): Promise<Response> {
  try {
    if (request.method === "POST" && /\/sign-(in|up)\b/.test(new URL(request.url).pathname)) {
      await limitRate("signIn", { identity: null, headers: request.headers });
    }
    return await auth(owners).handler(request);
  } catch (error) {
    if (error instanceof RateLimited) return refuse(429, error.code, error.message, error.retryAfter);
    if (error instanceof DatabaseUnavailable) return refuse(503, "SERVICE_UNAVAILABLE", error.message, retryAfter);
    throw error;
  }
}

function refuse(status: number, code: string, message: string, waitSeconds: number): Response {
  return Response.json({ code, message }, { status, headers: { "Retry-After": String(waitSeconds) } });
}
