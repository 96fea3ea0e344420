import { limitRate, RateLimited } from "../rate-limit";
import { withRequestId } from "../request-id";
import { auth } from "./better-auth";

/** Signing in and out, and tokens, at `/api/auth` (Better Auth's own endpoints). */
export const serveAuth = withRequestId(async (request) => {
  if (request.method === "POST" && /\/sign-(in|up)\b/.test(new URL(request.url).pathname)) {
    try {
      await limitRate("signIn", { identity: null, headers: request.headers });
    } catch (error) {
      if (!(error instanceof RateLimited)) throw error;
      const headers = { "Retry-After": String(error.retryAfter) };
      return Response.json({ code: error.code, message: error.message }, { status: 429, headers });
    }
  }
  return auth().handler(request);
});
