import { createHash } from "node:crypto";
import { TRPCError } from "@trpc/server";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import { prisma } from "../database/database";
import { DatabaseUnavailable, retryAfter } from "../database/database-unavailable";
import { refuseUnstorable } from "../functions/args";
import { inFairTurn } from "../functions/fair-turns";
import { limitRate, limitSignInFailures, RateLimited } from "../functions/rate-limit";
import { clientNetwork } from "../http/client-address";
import { readJson } from "../http/read-json";
import { withRequestId } from "../log/request-id";
import { limits } from "../process/limits";
import { auth } from "./better-auth";
import { isCommonPassword } from "./common-passwords";
import type { Owners } from "./owners";

/**
 * Signing in and out, and tokens, at `/api/auth` (Better Auth's own endpoints).
 *
 * @param owners what a visitor takes along who becomes an account
 */
export const serveAuth = (owners: Owners) =>
  withRequestId(async (request) => {
    const response = await answer(request, owners).catch(toAnswer);
    // A session, or a token: of one person.
    response.headers.set("Cache-Control", "private, no-store");
    return response;
  });

async function answer(request: Request, owners: Owners): Promise<Response> {
  const { headers } = request;
  if (request.method !== "POST")
    return inFairTurn("auth", headers)(() => withReadableKey(() => auth(owners).handler(request)));
  // Before its turn: whoever sends slowly holds up nobody.
  const body = await readBody(request);
  const path = new URL(request.url).pathname.replace(/^.*?\/api\/auth/, "");
  const what = /^\/sign-(in|up)\/email$/.test(path) ? "passwords" : "auth";
  return inFairTurn(what, headers)(() => post(request, path, body, owners));
}

/**
 * The key that signs tokens is encrypted by APP_SECRET. Where no secret of the list reads it any more, it gets an end, and
 * Better Auth makes a new one; what the old one signed is still verified.
 */
async function withReadableKey(answer: () => Promise<Response>): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("Failed to decrypt private key"))) throw error;
    await prisma.jwks.updateMany({ where: { expiresAt: null }, data: { expiresAt: new Date() } });
    return answer();
  }
}

async function post(
  { url, headers }: Request,
  path: string,
  body: Record<string, unknown>,
  owners: Owners,
): Promise<Response> {
  // A body that was read is sent on as it was understood.
  const sent = new Request(url, { method: "POST", headers: withoutLength(headers), body: JSON.stringify(body) });
  if (path === "/sign-in/email") return signIn(sent, body, owners);
  if (path === "/sign-up/email" && isCommonPassword(body.password)) {
    return refuse(400, "COMMON_PASSWORD", "This password is one of the first that attackers try. Choose another.");
  }
  if (path === "/sign-up/email" || path === "/sign-in/anonymous") {
    await limitRate("signIn", { identity: null, headers });
  }
  return auth(owners).handler(sent);
}

function toAnswer(error: unknown): Response {
  if (error instanceof RateLimited) return refuse(429, error.code, error.message, error.retryAfter);
  if (error instanceof DatabaseUnavailable) return refuse(503, "SERVICE_UNAVAILABLE", error.message, retryAfter);
  if (error instanceof TRPCError) return refuse(getHTTPStatusCodeFromError(error), error.code, error.message);
  console.error("Signing in failed:", error);
  return refuse(500, "INTERNAL_SERVER_ERROR", "The server failed; try again");
}

/**
 * Signs in. Wrong passwords count for the account and for the network that they come from. When there were too many, the
 * answer to a further one is 429. The right password is still accepted, so that an attacker cannot lock an account.
 */
async function signIn(request: Request, { email }: Record<string, unknown>, owners: Owners): Promise<Response> {
  const response = await auth(owners).handler(request);
  if (response.status !== 401) return response;
  const account = createHash("sha256").update(String(email).trim().toLowerCase()).digest("base64url");
  await limitSignInFailures([`account ${account}`, clientNetwork(request.headers)]);
  return response;
}

/** The object in the body; most endpoints take one, some none. */
async function readBody(request: Request): Promise<Record<string, unknown>> {
  if (!request.body || request.headers.get("content-length") === "0") return {};
  const body = await readJson(request, limits.authBytes);
  refuseUnstorable(body);
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return { ...body };
  throw new TRPCError({ code: "BAD_REQUEST", message: "The body must be a JSON object." });
}

function withoutLength(headers: Headers): Headers {
  const rest = new Headers(headers);
  rest.delete("content-length");
  rest.delete("transfer-encoding");
  rest.set("content-type", "application/json");
  return rest;
}

function refuse(status: number, code: string, message: string, waitSeconds?: number): Response {
  const headers: HeadersInit = waitSeconds === undefined ? {} : { "Retry-After": String(waitSeconds) };
  return Response.json({ code, message }, { status, headers });
}
