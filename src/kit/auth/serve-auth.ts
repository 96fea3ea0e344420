import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { TRPCError } from "@trpc/server";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import { prisma } from "../database/database";
import { DatabaseUnavailable, retryAfter } from "../database/errors";
import { refuseUnstorable } from "../functions/args";
import { limitEmails, limitRate, limitSignInFailures, RateLimited } from "../functions/rate-limit";
import { readJson } from "../http/body";
import { clientNetwork } from "../http/client-address";
import { withRequestId } from "../log/scope";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { inFairTurn, sessionOf } from "../process/places";
import { type AccountEmails, accountEmailSender, type SendAccountEmail } from "./account-email";
import { type AuthParts, auth, confirmAddress, withCurrentSignatures } from "./better-auth";
import { deleteBelongings, deleteLeftovers } from "./delete-account";
import type { Owners } from "./owners";

/** Serves Better Auth's endpoints at `/api/auth`: accounts, signing in and out, and tokens. */
export function serveAuth({ owners, email }: { owners: Owners; email?: AccountEmails }) {
  let parts: AuthParts | undefined;
  return withRequestId(async (request) => {
    const sendEmail = limited(accountEmailSender(email));
    parts ??= { owners, sendEmail, onDelete: deleteBelongings, onDeleted: deleteLeftovers };
    const response = await answer(request, parts).catch(toAnswer);
    // The response may hold a session or a token, which belongs to one person.
    response.headers.set("Cache-Control", "private, no-store");
    return response;
  });
}

/**
 * Drops mails to an address that received too many in this hour, whatever they are about. The sender of the request is not
 * told.
 */
const limited = (send: SendAccountEmail | undefined): SendAccountEmail | undefined =>
  send &&
  (async (to, email) => {
    try {
      await limitEmails(`to ${hashed(to)}`);
    } catch (error) {
      if (error instanceof RateLimited) return;
      throw error;
    }
    await send(to, email);
  });

async function answer(request: Request, parts: AuthParts): Promise<Response> {
  const headers = withCurrentSignatures(request.headers);
  const path = new URL(request.url).pathname.replace(/^.*?\/api\/auth/, "");
  if (request.method !== "POST") {
    const sent = new Request(request.url, { method: request.method, headers });
    // Requests that come back from providers wait apart from others, because a provider that does not answer delays them.
    const what = path.startsWith("/callback/") ? "providers" : "auth";
    return inFairTurn(what, headers)(() => withReadableKey(() => auth(parts).handler(sent)));
  }
  // Read the body before the request has its turn, so that a slow sender does not delay others.
  const body = await readBody(request);
  return inFairTurn(
    takesPassword.has(path) ? "passwords" : "auth",
    headers,
  )(() => post(request.url, headers, path, body, parts));
}

const takesPassword = new Set([
  "/sign-in/email",
  "/sign-up/email",
  "/reset-password",
  "/change-password",
  "/delete-user",
]);
/** Paths that create an account, or begin to. */
const isLimited = new Set(["/sign-up/email", "/sign-in/anonymous", "/sign-in/social", "/link-social"]);
/** Paths that send a mail to the address in this field of the body. */
const mailedTo = new Map([
  ["/sign-up/email", "email"],
  ["/request-password-reset", "email"],
  ["/send-verification-email", "email"],
  ["/change-email", "newEmail"],
]);
/** The shortest time of these requests in milliseconds, so that it does not reveal whether an address has an account. */
const mailedMs = 250;

/**
 * The key that signs tokens is encrypted with `APP_SECRET`. When no secret of the list decrypts it, this retires the key,
 * and Better Auth makes a new one. Tokens that the old key signed are still accepted.
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
  url: string,
  headers: Headers,
  path: string,
  body: Record<string, unknown>,
  parts: AuthParts,
): Promise<Response> {
  // Pass on the parsed body, so that Better Auth cannot read it differently.
  const sent = () => new Request(url, { method: "POST", headers: withoutLength(headers), body: JSON.stringify(body) });
  const chosen = path === "/sign-up/email" ? body.password : body.newPassword;
  if (takesPassword.has(path) && isCommonPassword(chosen)) {
    return refuse(400, "COMMON_PASSWORD", "This password is one of the first that attackers try. Choose another.");
  }
  // Whoever knows the old password is signed out, whatever the client asks for.
  if (path === "/change-password") body.revokeOtherSessions = true;
  const addressField = parts.sendEmail && mailedTo.get(path);
  if (isLimited.has(path) || addressField) await limitRate("signIn", { identity: null, headers });
  if (path === "/sign-in/email") return signIn(sent, body, parts);
  if (!addressField) return countWrongPassword(path, await auth(parts).handler(sent()), headers);
  await limitEmails(hashed(body[addressField]));
  const [response] = await Promise.all([auth(parts).handler(sent()), env.SMTP_URL && sleep(mailedMs)]);
  return response;
}

function toAnswer(error: unknown): Response {
  if (error instanceof RateLimited) return refuse(429, error.code, error.message, error.retryAfter);
  if (error instanceof DatabaseUnavailable) return refuse(503, "SERVICE_UNAVAILABLE", error.message, retryAfter);
  if (error instanceof TRPCError) return refuse(getHTTPStatusCodeFromError(error), error.code, error.message);
  console.error("Signing in failed:", error);
  return refuse(500, "INTERNAL_SERVER_ERROR", "The server failed. Try again.");
}

/**
 * Signs in. Wrong passwords count for the account and for the network that they come from. When there were too many, the
 * answer to a further one is 429. The right password is still accepted, so that an attacker cannot lock an account.
 *
 * `confirm` in the body is the token of a mail that confirms the address: a person who has both the token and the password
 * owns the account.
 */
async function signIn(
  request: () => Request,
  { email, confirm }: Record<string, unknown>,
  parts: AuthParts,
): Promise<Response> {
  const response = await auth(parts).handler(request());
  if (response.status === 401) {
    await limitSignInFailures([`account ${hashed(email)}`, clientNetwork(request().headers)]);
  }
  // The password was right; the address is not confirmed.
  if (response.status !== 403 || typeof confirm !== "string") return response;
  return (await confirmAddress(parts, confirm, email)) ? auth(parts).handler(request()) : response;
}

/**
 * Counts wrong passwords of signed-in users, who may be guessing in order to change the password or to delete the account.
 */
async function countWrongPassword(path: string, response: Response, headers: Headers): Promise<Response> {
  if (!takesPassword.has(path) || response.status !== 400) return response;
  const { code }: { code?: string } = await response.clone().json();
  if (code === "INVALID_PASSWORD") {
    const session = hashed(sessionOf(headers.get("cookie"), null));
    await limitSignInFailures([`session ${session}`, clientNetwork(headers)]);
  }
  return response;
}

/** Returns a short key for counting, which does not show the address. */
const hashed = (value: unknown) => createHash("sha256").update(String(value).trim().toLowerCase()).digest("base64url");

/** Reads the JSON object in the body. Some endpoints take none. */
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

/** The most common passwords of at least eight characters, from published lists of leaked passwords. */
const common = new Set(
  `password password1 password12 password123 password1234 passw0rd p@ssw0rd p@ssword pa55word password! passwort
  12345678 123456789 1234567890 0123456789 0987654321 987654321 87654321 11111111 111111111 1111111111 00000000 000000000
  88888888 99999999 12341234 12344321 11223344 1122334455 123123123 123321123 147258369 159753456 741852963 789456123
  12345679 123456780 12345678910 123456abc abc12345 abcd1234 abc123456 a1234567 a12345678 a123456789 1234abcd 1234qwer
  123qweasd 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qazxsw2 q1w2e3r4 q1w2e3r4t5 qazwsxedc zaq12wsx qwertyui qwertyuiop qwerty12
  qwerty123 qwerty1234 qwerty12345 qwer1234 qwertyqwerty asdfghjk asdfghjkl asdfasdf asdf1234 zxcvbnm1 zxcvbnmm 1234567q
  iloveyou iloveyou1 iloveyou2 iloveyou! sunshine sunshine1 princess princess1 football football1 baseball baseball1
  basketball superman superman1 batman123 spiderman starwars starwars1 pokemon1 pokemon123 michelle jennifer jessica1
  charlie1 jordan23 michael1 michelle1 liverpool chelsea1 arsenal1 manchester computer internet whatever trustno1 welcome1
  welcome123 letmein1 letmein123 admin123 admin1234 administrator changeme changeme1 default1 testtest test1234 test12345
  master123 dragon123 monkey123 shadow123 killer123 freedom1 corvette mercedes maverick midnight samantha victoria
  alexander benjamin nicholas einstein butterfly chocolate blink182 babygirl lovelove loveyou1 hello123 hellohello
  secret123 access14 mustang1 cowboys1 steelers yankees1 redskins aaaaaaaa aaaaaaaaaa abcdefgh abcdefg1 abcdefghi
  abcdefghij google123 facebook linkedin dropbox1 minecraft samsung1 nintendo playstation`
    .split(/\s+/)
    .filter(Boolean),
);

/** Whether this password is among the first that attackers try. */
const isCommonPassword = (password: unknown): boolean =>
  typeof password === "string" && common.has(password.toLowerCase());
