import { TRPCError } from "@trpc/server";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import { asAnswer, retryAfter } from "../database/errors";
import { RateLimited } from "../functions/rate-limit";
import { reportFailure } from "../log/scope";
import { shorten } from "../log/text";
import { UploadError } from "../storage/upload-error";

/**
 * The response for what a call threw, as `{ code, message, requestId }`. Expected errors (`TRPCError`) have their status and
 * message. Any other error is logged, and in production its client learns only where to look.
 *
 * @param name of the function or route, for the log
 */
export function errorResponse(thrown: unknown, name: string, requestId: string): Response {
  const error = asAnswer(thrown);
  // An action that stores the body answers the same as the upload endpoint, for example for a malformed digest.
  if (error instanceof UploadError && error.status < 500) {
    return Response.json({ code: error.code, message: shorten(error.message), requestId }, { status: error.status });
  }
  const expected = error instanceof TRPCError && error.code !== "INTERNAL_SERVER_ERROR" ? error : null;
  if (!expected) reportFailure(requestId, name, error);
  const detail = process.env.NODE_ENV === "production" ? "" : `: ${error}`;
  const code = expected?.code ?? "INTERNAL_SERVER_ERROR";
  const message =
    (expected && shorten(expected.message)) ?? `The server failed; quote request ${requestId} to its operator${detail}`;
  const status = expected ? getHTTPStatusCodeFromError(expected) : 500;
  const wait = error instanceof RateLimited ? error.retryAfter : status === 503 ? retryAfter : null;
  const headers = wait === null ? undefined : { "Retry-After": String(wait) };
  return Response.json({ code, message, requestId }, { status, headers });
}
