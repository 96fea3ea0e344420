import { STATUS_CODES } from "node:http";
import { TRPCError } from "@trpc/server";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import { asAnswer, retryAfter } from "../database/errors";
import { RateLimited } from "../functions/rate-limit";
import { reportFailure } from "../log/scope";
import { shorten } from "../log/text";
import { UploadError } from "../storage/upload-error";

/**
 * An error with a status. An HTTP action that throws it answers `{ "code", "message", "requestId" }` with this status, and
 * the sender reads the message. A function that a client calls answers it as `BAD_REQUEST`, or from 500 on as
 * `INTERNAL_SERVER_ERROR`, unless the status has a code of its own in tRPC.
 *
 *     throw new HttpError(410, "This link was taken back.");
 *
 * @throws RangeError for a status that is not one of an error, 400 to 599
 */
export class HttpError extends TRPCError {
  override readonly name = "HttpError";

  constructor(
    readonly status: number,
    message: string,
    options?: ErrorOptions,
  ) {
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`HttpError needs a status from 400 to 599, not ${status}.`);
    }
    const other = status < 500 ? "BAD_REQUEST" : "INTERNAL_SERVER_ERROR";
    super({ code: trpcCodes.get(status) ?? other, message, cause: options?.cause });
  }
}

const trpcCodes = new Map(
  (["UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "CONFLICT", "PAYLOAD_TOO_LARGE", "TOO_MANY_REQUESTS"] as const).map(
    (code) => [getHTTPStatusCodeFromError(new TRPCError({ code })), code],
  ),
);

/** 410 → `GONE` */
const codeOf = (status: number) => STATUS_CODES[status]?.toUpperCase().replace(/\W+/g, "_") ?? `HTTP_${status}`;

/**
 * The response for what a call threw, as `{ code, message, requestId }`. Expected errors (`TRPCError`, `HttpError`) have their
 * status and message. Any other error is logged, and in production its client learns only where to look.
 *
 * @param name of the function or route, for the log
 * @param isPage whether it is a page with the message, for a browser
 */
export function errorResponse(thrown: unknown, name: string, requestId: string, isPage = false): Response {
  const error = asAnswer(thrown);
  const answer = (status: number, code: string, message: string, headers?: Record<string, string>) =>
    isPage
      ? new Response(pageOf(message), { status, headers: { ...headers, "Content-Type": "text/html; charset=utf-8" } })
      : Response.json({ code, message, requestId }, { status, headers });
  // An action that stores the body answers the same as the upload endpoint, for example for a malformed digest.
  if (error instanceof UploadError && error.status < 500) {
    return answer(error.status, error.code, shorten(error.message));
  }
  if (error instanceof HttpError) return answer(error.status, codeOf(error.status), shorten(error.message));
  if (error instanceof TRPCError && error.code !== "INTERNAL_SERVER_ERROR") {
    const status = getHTTPStatusCodeFromError(error);
    const wait = error instanceof RateLimited ? error.retryAfter : status === 503 ? retryAfter : null;
    const headers = wait === null ? undefined : { "Retry-After": String(wait) };
    return answer(status, error.code, shorten(error.message), headers);
  }
  reportFailure(requestId, name, error);
  const detail = process.env.NODE_ENV === "production" ? "" : `: ${error}`;
  const message = `The server failed; quote request ${requestId} to its operator${detail}`;
  return answer(500, "INTERNAL_SERVER_ERROR", message);
}

const pageOf = (message: string) => `<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>This did not work</title><style>body{font:1rem/1.5 sans-serif;margin:3rem auto;max-width:30rem;padding:0 1rem;overflow-wrap:anywhere}</style>
<h1>This did not work</h1><p>${message.replace(/[&<]/g, (character) => `&#${character.charCodeAt(0)};`)}</p>
<p>Go back to try again.</p></html>`;
