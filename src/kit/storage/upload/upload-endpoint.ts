import { DatabaseUnavailable } from "../../database/errors";
import { RateLimited } from "../../functions/rate-limit";
import { UploadError } from "./upload-error";

/** The token is the authority: any site may upload with it, none with the user's cookies. */
const cors = { "Access-Control-Allow-Origin": "*" };

const preflight = {
  ...cors,
  "Access-Control-Allow-Methods": "POST",
  "Access-Control-Allow-Headers": "Content-Type, Digest, Content-Digest, Repr-Digest",
  "Access-Control-Max-Age": "86400",
};

/** What the endpoints of an upload have in common: POST and its preflight, JSON, and errors as `{ code, message }` (upload-error.ts). */
export function uploadEndpoint(handle: (request: Request) => Promise<object>) {
  return async (request: Request): Promise<Response> => {
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: preflight });
    if (request.method !== "POST") {
      const message = `Cannot ${request.method} an upload URL; POST the file to it`;
      const refusal = answer({ code: "MethodNotAllowed", message }, 405, { Allow: "POST, OPTIONS" });
      return request.method === "HEAD" ? new Response(null, refusal) : refusal;
    }
    try {
      return answer(await handle(request), 200);
    } catch (error) {
      const { code, message, details, status } = toUploadError(error);
      if (status >= 500) console.error("Upload failed:", error);
      const headers = {
        // A client that is stuck may not be at the start of a request when it goes on.
        ...(status === 408 && { Connection: "close" }),
        ...(error instanceof RateLimited && { "Retry-After": String(error.retryAfter) }),
      };
      return answer({ code, message, ...details }, status, headers);
    }
  };
}

function toUploadError(error: unknown): UploadError {
  if (error instanceof UploadError) return error;
  if (error instanceof RateLimited) return new UploadError("TooManyRequests", error.message);
  if (error instanceof DatabaseUnavailable) return UploadError.ofStore(error);
  return new UploadError("InternalServerError", "The upload failed on the server; try again");
}

/** `no-transform`: the compression of Next.js, which begins at 1 KB, never ends such an answer. */
function answer(body: object, status: number, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { ...cors, "Cache-Control": "no-store, no-transform", ...headers } });
}
