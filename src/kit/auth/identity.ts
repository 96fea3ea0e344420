import { createHmac, timingSafeEqual } from "node:crypto";
import { TRPCError } from "@trpc/server";
import type { JWTPayload } from "jose";
import { pools } from "../database/database";
import { type Credentials, isForeign, publicOrigin } from "../http/origin";
import { env } from "../process/env";
import { ownIssuer, tokenIdentifier, verifyToken } from "./issuers";

/** The user who calls, by session cookie or Bearer token. It also has the other claims of the token, under their names. */
export interface UserIdentity {
  /** `<issuer>|<subject>`. Store it to refer to the user. */
  tokenIdentifier: string;
  subject: string;
  issuer: string;
  name?: string;
  email?: string;
  emailVerified?: boolean;
  /** Whether the user is a visitor without an account. */
  isAnonymous?: boolean;
  [claim: string]: unknown;
}

/**
 * Returns the user who sent the request, or `null` for a request without a session or token.
 * @throws TRPCError `UNAUTHORIZED` for an invalid token, `FORBIDDEN` when a page of another site sent the cookie
 */
export async function identify(credentials: Credentials): Promise<UserIdentity | null> {
  const [, token] = /^bearer(?:\s+(.*))?$/i.exec(credentials.headers.get("authorization") ?? "") ?? [null, null];
  if (token !== null) return fromClaims(await checkSession(await verifyToken(token ?? "")));
  if (!hasSessionCookie(credentials.headers)) return null;
  refuseForeign(credentials);
  const session = sessionTokenOf(credentials.headers);
  if (session === null) return null;
  // One statement. Better Auth would need two, and takes a third of a second to load. Only its own endpoint renews sessions,
  // because only that response can set the renewed cookie.
  const [user] = await pools.lookups.sql<User>(
    `SELECT "_users"."_id" AS "id", "name", "email", "emailVerified", "isAnonymous"
     FROM "_sessions" JOIN "_users" ON "_users"."_id" = "_sessions"."userId"
     WHERE "token" = $1 AND "expiresAt" > now()`,
    [session],
  );
  return user ? identityOf(user) : null;
}

/** Refuses a token of this app whose session has ended, because the user signed out or the account was deleted. */
async function checkSession(claims: JWTPayload): Promise<JWTPayload> {
  if (claims.iss !== ownIssuer) return claims;
  const found = await pools.lookups.sql(
    'SELECT FROM "_sessions" WHERE "_id" = $1 AND "userId" = $2 AND "expiresAt" > now()',
    [String(claims.sid), claims.sub],
  );
  if (found.length > 0) return claims;
  throw new TRPCError({ code: "UNAUTHORIZED", message: "The Bearer token's session has ended. Sign in again." });
}

/**
 * The token in the session's cookie, if this app signed it: `<token>.<HMAC-SHA-256 as base64>`, as Better Auth sets it. Over
 * HTTPS, only the cookie that other pages cannot set is accepted.
 */
function sessionTokenOf(headers: Headers): string | null {
  const prefix = publicOrigin(new Headers()).startsWith("https://") ? "__Secure-" : "";
  const cookies = (headers.get("cookie") ?? "").split(";").map((cookie) => cookie.trim());
  const start = `${prefix}better-auth.session_token=`;
  const value = cookies.find((cookie) => cookie.startsWith(start))?.slice(start.length);
  const [, token, signature = ""] = /^(.+)\.([A-Za-z0-9+/]{43}=)$/s.exec(decoded(value)) ?? [];
  if (!token) return null;
  const given = Buffer.from(signature, "base64");
  const isSigned = env.APP_SECRET.some((secret) =>
    timingSafeEqual(createHmac("sha256", secret).update(token).digest(), given),
  );
  return isSigned ? token : null;
}

function decoded(text = ""): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

interface User {
  id: string;
  name: string;
  email: string;
  emailVerified: boolean;
  isAnonymous?: boolean | null;
}

/** Returns the identity of a user of this app. */
export function identityOf({ id, name, email, emailVerified, isAnonymous }: User): UserIdentity {
  return {
    tokenIdentifier: tokenIdentifier(id),
    subject: id,
    issuer: ownIssuer,
    name,
    // The email address of a visitor is made up.
    ...(isAnonymous ? { isAnonymous } : { email, emailVerified }),
  };
}

const hasSessionCookie = (headers: Headers): boolean =>
  /(^|;\s*)(__Secure-)?better-auth\.session_token=/.test(headers.get("cookie") ?? "");

/** Refuses a request that a page of another site sent. Browsers attach cookies to it, but the visitor may not want it. */
export function refuseForeign(credentials: Credentials): void {
  if (!hasSessionCookie(credentials.headers) || !isForeign(credentials)) return;
  const origin = credentials.headers.get("origin");
  throw new TRPCError({
    code: "FORBIDDEN",
    message:
      `Pages of ${origin ?? "other sites"} cannot act for this app's visitors.` +
      (origin ? " If this is the app's own origin, set APP_ORIGIN to it." : ""),
  });
}

/** The names of standard claims (OpenID Connect Core §5.1) in `UserIdentity`. */
const renamed: Record<string, string> = {
  given_name: "givenName",
  family_name: "familyName",
  preferred_username: "preferredUsername",
  profile: "profileUrl",
  picture: "pictureUrl",
  email_verified: "emailVerified",
  phone_number: "phoneNumber",
  phone_number_verified: "phoneNumberVerified",
  zoneinfo: "timezone",
  locale: "language",
  updated_at: "updatedAt",
};

const technical = new Set(["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid"]);

function fromClaims({ iss = "", sub = "", ...claims }: JWTPayload): UserIdentity {
  const personal = Object.entries(claims).filter(([name]) => !technical.has(name));
  const named: Record<string, unknown> = Object.fromEntries(
    personal.map(([name, value]) => [renamed[name] ?? name, value]),
  );
  const { name, email, emailVerified, isAnonymous, ...others } = named;
  return {
    ...others,
    ...(typeof name === "string" && { name }),
    ...(typeof email === "string" && { email }),
    // Some issuers write booleans as texts, and the text "false" would count as true.
    ...(emailVerified !== undefined && { emailVerified: emailVerified === true || emailVerified === "true" }),
    ...(isAnonymous !== undefined && { isAnonymous: isAnonymous === true || isAnonymous === "true" }),
    tokenIdentifier: `${iss}|${sub}`,
    subject: sub,
    issuer: iss,
  };
}

/** `ctx.auth`. */
export interface Auth {
  /** Returns who calls, by session cookie or Bearer token. `null` for a request with neither. Throws for an invalid token. */
  getUserIdentity(): Promise<UserIdentity | null>;
}

/**
 * Refuses callers without an identity with `UNAUTHORIZED`, and adds `ctx.identity`:
 *
 *     const userMutation = mutation.use(requireIdentity);
 */
export async function requireIdentity(ctx: { auth: Auth }): Promise<{ identity: UserIdentity }> {
  const identity = await ctx.auth.getUserIdentity();
  if (!identity)
    throw new TRPCError({ code: "UNAUTHORIZED", message: "Sign in first. A visitor can do so without an account." });
  return { identity };
}
