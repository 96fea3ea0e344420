import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { betterAuth } from "better-auth";
import { prismaAdapter } from "better-auth/adapters/prisma";
import { hashPassword, verifyPassword } from "better-auth/crypto";
import { anonymous, jwt } from "better-auth/plugins";
import { lookups, prisma } from "../database/database";
import { isForeign, publicOrigin } from "../http/origin";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { createPlaces } from "../process/places";
import { processWide } from "../process/process-wide";
import { ownIssuer, tokenIdentifier } from "./issuers";
import { adoptRows, type Owners } from "./owners";

type BetterAuth = ReturnType<typeof createAuth>;

/** The threads that hash passwords are those that read files: some are left for them. */
const inTurn = processWide("passwords", () => createPlaces(limits.passwords, limits.passwordsWaiting));

let endpoints: BetterAuth | undefined;
let sessions: BetterAuth | undefined;

/** Better Auth, made when first asked for: a build has no secret to make it with. */
export function auth(owners: Owners): BetterAuth {
  endpoints ??= createAuth(prisma, owners);
  return endpoints;
}

/** The same for who has a session: asked while a function may hold a connection, on connections of its own. */
export function sessionAuth(): BetterAuth {
  sessions ??= createAuth(lookups, {});
  return sessions;
}

/** Sessions by cookie, for accounts (email and password) and for anonymous visitors; tokens for scripts. */
const createAuth = (client: typeof prisma, owners: Owners) =>
  betterAuth({
    appName: "next-trpc-storage",
    baseURL: publicOrigin(new Headers()),
    // Phones, tunnels and other domains call the app by other names.
    trustedOrigins: (request) => (request && !isForeign(request) ? [request.headers.get("origin")] : []),
    basePath: "/api/auth",
    // Its version names the secret that encrypted a key, so that a replaced secret still decrypts.
    secrets: env.APP_SECRET.map((value) => ({ version: versionOf(value), value })),
    database: prismaAdapter(client, { provider: "postgresql", transaction: true }),
    // Seconds. A visitor has nothing but the session to come back with; each day of use renews it.
    session: { expiresIn: 90 * 24 * 60 * 60, updateAge: 24 * 60 * 60 },
    emailAndPassword: {
      enabled: true,
      minPasswordLength: 8,
      password: {
        hash: (password) => inTurn(() => hashPassword(password)),
        verify: (given) => inTurn(() => verifyPassword(given)),
      },
    },
    telemetry: { enabled: false },
    // To serve-auth.ts, which knows what a database that is away is.
    onAPIError: { throw: true },
    // Ours count in PostgreSQL, for all processes together.
    rateLimit: { enabled: false },
    advanced: { ipAddress: { disableIpTracking: true } },
    plugins: [
      anonymous({
        emailDomainName: "visitors.invalid",
        generateName: () => "Visitor",
        // The anonymous user is deleted after this; what is theirs becomes the account's.
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
            // The token is valid no longer than the session that it was made in.
            sid: session.id,
          }),
        },
      }),
    ],
  });

function versionOf(secret: string): number {
  return createHash("sha256").update(secret).digest().readUInt32BE() >>> 1;
}

/**
 * The headers with cookies that an older secret of `APP_SECRET` signed, signed again by the first, which is the only one
 * that Better Auth verifies by. Without this, replacing the secret would sign everybody out, and visitors have nothing but
 * their session to come back with.
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
