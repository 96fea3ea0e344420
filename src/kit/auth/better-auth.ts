import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { betterAuth } from "better-auth";
import { prismaAdapter } from "better-auth/adapters/prisma";
import {
  APIError,
  createAuthMiddleware,
  createEmailVerificationToken,
  getSessionFromCtx,
  isAPIError,
} from "better-auth/api";
import { hashPassword, verifyPassword } from "better-auth/crypto";
import { anonymous, jwt } from "better-auth/plugins";
import { decodeJwt, type JWTPayload } from "jose";
import { prisma } from "../database/database";
import { isForeign, publicOrigin } from "../http/origin";
import { shorten } from "../log/text";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { createPlaces } from "../process/places";
import { processWide } from "../process/process-wide";
import type { SendAccountEmail } from "./account-email";
import { ownIssuer, tokenIdentifier } from "./issuers";
import { accountOptions, adoptRows, type Owners } from "./owners";

type BetterAuth = ReturnType<typeof createAuth>;

/** Passwords are hashed by the threads that also read files. The limit leaves some of them for files. */
const inTurn = processWide("passwords", () => createPlaces(limits.passwords, limits.passwordsWaiting));

let endpoints: BetterAuth | undefined;

/** The parts of the app that Better Auth needs. */
export interface AuthParts {
  /** The columns of the rows that become the account's when a visitor signs up. */
  owners: Owners;
  /** Absent when no mail is sent. */
  sendEmail?: SendAccountEmail;
  /** Deletes what an account owns, before the account itself is deleted. */
  onDelete?: (account: { id: string; email: string }) => Promise<void>;
  /** Deletes what the account has received meanwhile. */
  onDeleted?: (account: { id: string }) => Promise<void>;
}

/** Returns Better Auth for its endpoints. It is made at the first call, because a build has no secret. */
export function auth(parts: AuthParts): BetterAuth {
  endpoints ??= createAuth(parts);
  return endpoints;
}

/** Accounts (email and password) and anonymous visitors have sessions by cookie. Scripts get tokens. */
const createAuth = ({ owners, sendEmail, onDelete, onDeleted }: AuthParts) => {
  const origin = publicOrigin(new Headers());
  return betterAuth({
    appName: "next-trpc-storage",
    baseURL: origin,
    // Phones, tunnels and other domains reach the app under other host names. A request that changes nothing is not checked,
    // so the origin that it states is not trusted.
    trustedOrigins: (request) =>
      request && request.method === "POST" && !isForeign(request) ? [request.headers.get("origin")] : [],
    basePath: "/api/auth",
    // The version identifies the secret that encrypted a key, so that an older secret of the list can decrypt it.
    secrets: env.APP_SECRET.map((value) => ({ version: versionOf(value), value })),
    database: prismaAdapter(prisma, { provider: "postgresql", transaction: true }),
    // In seconds. Each day of use renews a session. Sessions last long, because visitors lose everything with theirs.
    // `guard` requires a recent sign-in where that is needed.
    session: { expiresIn: 90 * 24 * 60 * 60, updateAge: 24 * 60 * 60, freshAge: 0 },
    emailAndPassword: {
      enabled: true,
      minPasswordLength: 8,
      // An address must be confirmed before it can be used to sign in. The answer does not reveal whether the address has an
      // account.
      requireEmailVerification: env.SMTP_URL !== undefined,
      onExistingUserSignUp: async ({ user }) => sendEmail?.(user.email, { about: "taken", url: `${origin}/sign-in` }),
      // Visitors have invented addresses.
      sendResetPassword:
        sendEmail &&
        (async ({ user, token }) => {
          if (await isVisitor(user.id)) return;
          await sendEmail(user.email, { about: "reset", url: `${origin}/sign-in/reset?token=${token}` });
        }),
      revokeSessionsOnPasswordReset: true,
      onPasswordReset: ({ user }) => proveAddress(user),
      password: {
        hash: (password) => inTurn(() => hashPassword(password)),
        verify: (given) => inTurn(() => verifyPassword(given)),
      },
    },
    emailVerification: sendEmail && {
      sendOnSignUp: true,
      expiresIn: linkSeconds,
      // The address that an account should get may belong to another one: only its owner learns that.
      sendVerificationEmail: async ({ user, url }) =>
        (await isTaken(user.email, user.id))
          ? sendEmail(user.email, { about: "taken", url: `${origin}/sign-in` })
          : sendEmail(user.email, { about: "confirm", url }),
    },
    user: {
      changeEmail: {
        enabled: sendEmail !== undefined,
        sendChangeEmailConfirmation:
          sendEmail && (({ user, newEmail, url }) => sendEmail(user.email, { about: "change", newEmail, url })),
      },
      deleteUser: { enabled: onDelete !== undefined, beforeDelete: onDelete, afterDelete: onDeleted },
      validateUserInfo: ({ user, source }) => refuseUser(user, source),
    },
    // A provider's account is linked to the account with the same address if both have proved that it is theirs, or to
    // the one that is signed in and asks for it.
    account: { accountLinking: { trustedProviders: [], allowDifferentEmails: false }, encryptOAuthTokens: true },
    socialProviders: providers(),
    hooks: { before: guard, after: sendEmail && mailAboutTaken(sendEmail) },
    telemetry: { enabled: false },
    logger: {
      // Better Auth logs what a client did wrong as an error, too, in a text of any length.
      log: (level, message, ...details) => {
        const isFailure = level === "error" && details.some((detail) => detail instanceof Error);
        if (isFailure) console.error("Better Auth:", message, ...details);
        else console.warn("Better Auth:", shorten(message, 200));
      },
    },
    // serve-auth.ts answers errors, such as 503 when the database cannot be reached.
    onAPIError: { throw: true },
    // The kit's rate limits count in PostgreSQL, for all processes together.
    rateLimit: { enabled: false },
    advanced: {
      ipAddress: { disableIpTracking: true },
      // By default Better Auth checks neither when NODE_ENV is "test".
      disableOriginCheck: false,
      disableCSRFCheck: false,
    },
    plugins: [
      anonymous({
        emailDomainName: visitorDomain,
        generateName: () => "Visitor",
        // Better Auth then deletes the anonymous user, so first everything of the visitor becomes the account's.
        onLinkAccount: ({ anonymousUser, newUser }) =>
          adoptRows({ from: tokenIdentifier(anonymousUser.user.id), to: tokenIdentifier(newUser.user.id) }, owners),
      }),
      jwt({
        jwt: {
          issuer: ownIssuer,
          audience: ownIssuer,
          expirationTime: "15m",
          definePayload: ({ user, session }) => ({
            name: user.name,
            email: user.email,
            email_verified: user.emailVerified,
            // The token ends with the session that it was made in.
            sid: session.id,
          }),
        },
      }),
      ...accountOptions().plugins,
    ],
  });
};

/** The providers whose keys are set. */
function providers() {
  // Allows only the flow through the provider's page, which proves that the same browser began it.
  const pair = (clientId?: string, clientSecret?: string) =>
    clientId && clientSecret && { clientId, clientSecret, disableIdTokenSignIn: true };
  const github = pair(env.GITHUB_CLIENT_ID, env.GITHUB_CLIENT_SECRET);
  const google = pair(env.GOOGLE_CLIENT_ID, env.GOOGLE_CLIENT_SECRET);
  return { ...(github && { github }), ...(google && { google }) };
}

interface NewUser {
  email?: string | null;
  emailVerified?: boolean;
}

/** Refuses to make or link an account for an address that the provider has not verified, or for a visitor's address. */
function refuseUser({ email, emailVerified }: NewUser, { method, action }: { method: string; action: string }) {
  if (method !== "anonymous" && email?.endsWith(`@${visitorDomain}`)) return { error: "INVALID_EMAIL" };
  if (method === "oauth" && action !== "sign-in" && !emailVerified) return { error: "email_not_verified" };
  return undefined;
}

/** For this many seconds the links of mails work. */
const linkSeconds = 24 * 60 * 60;

/** Whether another account than this one has the address. */
const isTaken = async (email: unknown, id: string): Promise<boolean> =>
  typeof email === "string" && (await prisma.user.count({ where: { email, id: { not: id } } })) > 0;

/** The `requestType` of the link in the mail to the address that an account has. */
const changeConfirmation = "change-email-confirmation";

/**
 * Sends the mail about a change of the address also when the new address is taken, where Better Auth sends none. Otherwise
 * people would learn from their own mail which addresses have accounts.
 */
const mailAboutTaken = (sendEmail: SendAccountEmail) =>
  createAuthMiddleware(async (ctx) => {
    if (ctx.path !== "/change-email" || isAPIError(ctx.context.returned)) return;
    const user = (await getSessionFromCtx(ctx))?.user;
    const newEmail = String(ctx.body?.newEmail).toLowerCase();
    // Without a confirmed address, only the new address gets a mail.
    if (!user?.emailVerified || !(await isTaken(newEmail, user.id))) return;
    const claims = { requestType: changeConfirmation, userId: user.id };
    const token = await createEmailVerificationToken(ctx.context.secret, user.email, newEmail, linkSeconds, claims);
    const query = new URLSearchParams({ token, callbackURL: ctx.body.callbackURL || "/" });
    await sendEmail(user.email, { about: "change", newEmail, url: `${ctx.context.baseURL}/verify-email?${query}` });
  });

/** The domain of the invented addresses of visitors. */
const visitorDomain = "visitors.invalid";

const isVisitor = async (id: string): Promise<boolean> =>
  (await prisma.user.findUnique({ where: { id }, select: { isAnonymous: true } }))?.isAnonymous ?? false;

/**
 * A user who chose a password through a mail has proved to own the address. Other ways to sign in to the account are
 * removed, because someone else may have registered the address first.
 */
async function proveAddress({ id, emailVerified }: { id: string; emailVerified: boolean }): Promise<void> {
  if (emailVerified) return;
  await prisma.account.deleteMany({ where: { userId: id, providerId: { not: "credential" } } });
  await prisma.user.update({ where: { id }, data: { emailVerified: true } });
}

/**
 * Confirms the address of an account with the token of a mail. Returns `false` when the token is not valid or belongs to
 * another account.
 */
export async function confirmAddress(parts: AuthParts, token: string, email: unknown): Promise<boolean> {
  const claims = claimsOf(token);
  if (!claims || claims.email !== String(email).toLowerCase() || claims.updateTo !== undefined) return false;
  return auth(parts)
    .api.verifyEmail({ query: { token } })
    .then(
      () => true,
      () => false,
    );
}

/** For this many milliseconds after signing in, an account without a password can be deleted. */
const freshMs = 10 * 60_000;

/** Refuses requests that Better Auth would accept. */
const guard = createAuthMiddleware(async (ctx) => {
  if (!ctx.request || !guarded.has(ctx.path)) return;
  const session = await getSessionFromCtx(ctx);
  if (ctx.path === "/verify-email") {
    // A link in a mail works only for a person who is signed in to the account, or has just entered its password. Otherwise the
    // owner of an address, by opening the link, would confirm an account that somebody else has created with it; and links
    // from before a change of the password would work after it.
    const { searchParams, pathname, search } = new URL(ctx.request.url);
    const token = searchParams.get("token") ?? "";
    const claims = claimsOf(token);
    // Better Auth refuses a token that cannot be read.
    if (!claims) return;
    if (session && session.user.id === claims.userId) {
      // Better Auth would answer with a failure. The first of the two links does not tell who has the address.
      const isLast = claims.requestType !== changeConfirmation;
      if (isLast && (await isTaken(claims.updateTo, session.user.id)))
        throw ctx.redirect("/account?error=INVALID_TOKEN");
      return;
    }
    throw ctx.redirect(`/sign-in?${new URLSearchParams({ confirm: token, next: pathname + search })}`);
  }
  if (!session) return;
  if (ctx.path !== "/delete-user") {
    if (!session.user.isAnonymous) return;
    throw new APIError("FORBIDDEN", { code: "NO_ACCOUNT", message: "Create an account first" });
  }
  const where = { userId: session.user.id, password: { not: null } };
  if ((await prisma.account.count({ where })) > 0) {
    if (ctx.body?.password) return;
    throw new APIError("BAD_REQUEST", { code: "INVALID_PASSWORD", message: "The password is required" });
  }
  if (Date.now() - session.session.createdAt.getTime() < freshMs) return;
  throw new APIError("FORBIDDEN", { code: "SESSION_NOT_FRESH", message: "Sign out and in again first" });
});

const guarded = new Set(["/verify-email", "/delete-user", "/change-email", "/link-social"]);

/** The claims of a token, before its signature is verified. */
function claimsOf(token: string): JWTPayload | null {
  try {
    return decodeJwt(token);
  } catch {
    return null;
  }
}

function versionOf(secret: string): number {
  return createHash("sha256").update(secret).digest().readUInt32BE() >>> 1;
}

/**
 * Returns the headers with every cookie signed by the first secret of `APP_SECRET`, if an older secret of the list signed it.
 * Better Auth verifies cookies by the first secret only, so replacing it would sign everybody out, and visitors would lose
 * what they made.
 */
export function withCurrentSignatures(headers: Headers): Headers {
  const [current, ...older] = env.APP_SECRET;
  const sent = headers.get("cookie");
  if (!current || older.length === 0 || !sent?.includes("better-auth.")) return headers;
  const cookies = sent.split(/; */).map((cookie) => {
    const [, name, encoded = ""] = /^((?:__Secure-)?better-auth\.\w+)=(.*)$/.exec(cookie) ?? [];
    const [, value, signature = ""] = /^(.+)\.([A-Za-z0-9+/]{43}=)$/s.exec(decode(encoded)) ?? [];
    if (!name || !value) return cookie;
    const given = Buffer.from(signature, "base64");
    const signedBy = (secret: string) => createHmac("sha256", secret).update(value).digest();
    if (!older.some((secret) => timingSafeEqual(given, signedBy(secret)))) return cookie;
    return `${name}=${encodeURIComponent(`${value}.${signedBy(current).toString("base64")}`)}`;
  });
  const signed = new Headers(headers);
  signed.set("cookie", cookies.join("; "));
  return signed;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
