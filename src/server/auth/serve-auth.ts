import { DatabaseUnavailable, retryAfter } from "../database-unavailable";
import { limitRate, RateLimited } from "../rate-limit";
import { withRequestId } from "../request-id";
import { auth } from "./better-auth";

/** Signing in and out, and tokens, at `/api/auth` (Better Auth's own endpoints). */
export const serveAuth = withRequestId(async (request) => {
  try {
    if (request.method === "POST" && /\/sign-(in|up)\b/.test(new URL(request.url).pathname)) {
      await limitRate("signIn", { identity: null, headers: request.headers });
    }
    return await auth().handler(request);
  } catch (error) {
    if (error instanceof RateLimited) return refuse(429, error.code, error.message, error.retryAfter);
    if (error instanceof DatabaseUnavailable) return refuse(503, "SERVICE_UNAVAILABLE", error.message, retryAfter);
    throw error;
  }
});

function refuse(status: number, code: string, message: string, waitSeconds: number): Response {
  return Response.json({ code, message }, { status, headers: { "Retry-After": String(waitSeconds) } });
}
