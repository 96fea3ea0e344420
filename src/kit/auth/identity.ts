import { TRPCError } from "@trpc/server";
import type { JWTPayload } from "jose";
import { lookups } from "../database/database";
import { isForeign } from "../http/origin";
import { ownIssuer, tokenIdentifier, verifyToken } from "./issuers";

/** Who calls, by session cookie or Bearer token. Claims of a token that have no field here are there as they were sent. */
export interface UserIdentity {
  /** `<issuer>|<subject>`: the name of this person in the database. */
  tokenIdentifier: string;
  subject: string;
  issuer: string;
  name?: string;
  email?: string;
  emailVerified?: boolean;
  /** A visitor without an account. */
  isAnonymous?: boolean;
  [claim: string]: unknown;
}

/** What a request says about who sent it. */
export interface Credentials {
  method: string;
  headers: Headers;
  /** Aborted when the client goes away. */
  signal?: AbortSignal;
  /** Whether pages of this other origin may act with the visitor's cookie. */
  trusts?: (origin: string) => boolean;
}

/**
 * Who sent the request; `null` when it does not say.
 * @throws `UNAUTHORIZED` for a token that is not valid, `FORBIDDEN` for a cookie sent by another site's page
 */
export async function identify(credentials: Credentials): Promise<UserIdentity | null> {
  const [, token] = /^bearer(?:\s+(.*))?$/i.exec(credentials.headers.get("authorization") ?? "") ?? [null, null];
  if (token !== null) return fromClaims(await checkSession(await verifyToken(token ?? "")));
  if (!hasSessionCookie(credentials.headers)) return null;
  refuseForeign(credentials);
  // Loaded for whoever has a session: it takes a third of a second of a server's start.
  const { sessionAuth, withCurrentSignatures } = await import("./better-auth");
  const headers = withCurrentSignatures(credentials.headers);
  // Prolonged only where the answer can carry the prolonged cookie too: by Better Auth's own endpoint.
  const session = await sessionAuth().api.getSession({ headers, query: { disableRefresh: true } });
  return session && identityOf(session.user);
}

/** The app's own tokens end with the session that they were made in: with its sign-out, or with the account. */
async function checkSession(claims: JWTPayload): Promise<JWTPayload> {
  if (claims.iss !== ownIssuer) return claims;
  const where = { id: String(claims.sid), userId: claims.sub, expiresAt: { gt: new Date() } };
  if (await lookups.session.findFirst({ where, select: { id: true } })) return claims;
  throw new TRPCError({ code: "UNAUTHORIZED", message: "The Bearer token's session has ended; sign in again" });
}

interface User {
  id: string;
  name: string;
  email: string;
  emailVerified: boolean;
  isAnonymous?: boolean | null;
}

/** Who a user of this app is. */
export function identityOf({ id, name, email, emailVerified, isAnonymous }: User): UserIdentity {
  return {
    tokenIdentifier: tokenIdentifier(id),
    subject: id,
    issuer: ownIssuer,
    name,
    // Visitors have an invented address.
    ...(isAnonymous ? { isAnonymous } : { email, emailVerified }),
  };
}

const hasSessionCookie = (headers: Headers): boolean =>
  /(^|;\s*)(__Secure-)?better-auth\.session_token=/.test(headers.get("cookie") ?? "");

/** Browsers attach cookies to what other sites' pages send: such a request does not speak for the visitor. */
export function refuseForeign(credentials: Credentials): void {
  if (!hasSessionCookie(credentials.headers) || !isForeign(credentials)) return;
  const origin = credentials.headers.get("origin");
  throw new TRPCError({
    code: "FORBIDDEN",
    message:
      `Pages of ${origin ?? "other sites"} cannot act for this app's visitors` +
      (origin ? "; if this app is there, set APP_ORIGIN to it" : ""),
  });
}

/** The claims that have a name of their own here (OpenID Connect Core §5.1). */
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
  return {
    ...Object.fromEntries(personal.map(([name, value]) => [renamed[name] ?? name, value])),
    tokenIdentifier: `${iss}|${sub}`,
    subject: sub,
    issuer: iss,
  };
}

/** `ctx.auth`. */
export interface Auth {
  /** Who calls: by session cookie or Bearer token, `null` when the request says neither. Throws for an invalid token. */
  getUserIdentity(): Promise<UserIdentity | null>;
}

/** Narrows a builder to callers with an identity: `const userMutation = mutation.use(requireIdentity)`. */
export async function requireIdentity(ctx: { auth: Auth }): Promise<{ identity: UserIdentity }> {
  const identity = await ctx.auth.getUserIdentity();
  if (!identity)
    throw new TRPCError({ code: "UNAUTHORIZED", message: "Sign in first; a visitor can do so without an account" });
  return { identity };
}
