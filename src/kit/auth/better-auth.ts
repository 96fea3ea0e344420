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

/** Passwords are hashed by the threads that also read files. The limit leaves some of them for files. */
const inTurn = processWide("passwords", () => createPlaces(limits.passwords, limits.passwordsWaiting));

let endpoints: BetterAuth | undefined;
let sessions: BetterAuth | undefined;

/** Returns Better Auth for its endpoints. It is made at the first call, because a build has no secret. */
export function auth(owners: Owners): BetterAuth {
  endpoints ??= createAuth(prisma, owners);
  return endpoints;
}

/** Returns Better Auth to look up sessions. It has its own connections, because a function may hold one at that time. */
export function sessionAuth(): BetterAuth {
  sessions ??= createAuth(lookups, {});
  return sessions;
}

/** Accounts (email and password) and anonymous visitors have sessions by cookie. Scripts get tokens. */
const createAuth = (client: typeof prisma, owners: Owners) =>
  betterAuth({
    appName: "next-trpc-storage",
    baseURL: publicOrigin(new Headers()),
    // Phones, tunnels and other domains reach the app under other host names.
    trustedOrigins: (request) => (request && !isForeign(request) ? [request.headers.get("origin")] : []),
    basePath: "/api/auth",
    // The version identifies the secret that encrypted a key, so that an older secret of the list can decrypt it.
    secrets: env.APP_SECRET.map((value) => ({ version: versionOf(value), value })),
    database: prismaAdapter(client, { provider: "postgresql", transaction: true }),
    // In seconds. Each day of use renews a session. It lasts long, because a visitor loses everything with it.
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
    // serve-auth.ts answers errors, such as 503 when the database cannot be reached.
    onAPIError: { throw: true },
    // The kit's rate limits count in PostgreSQL, for all processes together.
    rateLimit: { enabled: false },
    advanced: { ipAddress: { disableIpTracking: true } },
    plugins: [
      anonymous({
        emailDomainName: "visitors.invalid",
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
    ],
  });

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
