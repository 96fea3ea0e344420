import { TRPCError } from "@trpc/server";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from "jose";
import { lookups } from "../database/database";
import { unstorable } from "../functions/args";
import { quote } from "../log/text";
import { env } from "../process/env";

/**
 * The issuer of the app's own sessions and tokens. It is part of every `tokenIdentifier` in the database, so it is not derived
 * from the app's host, which may change.
 */
export const ownIssuer = env.AUTH_OWN_ISSUER;

/** Returns the `tokenIdentifier` of a user of this app. */
export const tokenIdentifier = (userId: string) => `${ownIssuer}|${userId}`;

/** An issuer whose Bearer tokens this app accepts. */
export interface Issuer {
  /** The `iss` of the tokens, exactly. OpenID Connect discovery starts at this URL. */
  issuer: string;
  /** What the issuer calls this app, which `aud` of the tokens must contain. Without it, tokens for any app are accepted. */
  audience?: string;
  /** The URL of the keys. Default: found by discovery. */
  jwksUrl?: string;
}

const added: Issuer[] = [];

/** Accepts tokens of these issuers, in addition to that of `AUTH_ISSUER`. */
export function acceptIssuers(issuers: readonly Issuer[]): void {
  added.push(...issuers);
}

/** Lists the issuer of `AUTH_ISSUER` and those that `createKit` received. */
export function issuers(): readonly Issuer[] {
  const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, AUTH_JWKS_URL: jwksUrl } = env;
  return issuer ? [{ issuer, audience, jwksUrl }, ...added] : added;
}

/** Refuses the start for a setting that needs another one, or that another one makes useless. */
export function checkIssuerSettings(): void {
  const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, AUTH_JWKS_URL: jwksUrl } = env;
  const acceptsAny = env.AUTH_WITHOUT_AUDIENCE === "1";
  if (issuer && !audience && !acceptsAny) {
    throw new Error(
      "AUTH_ISSUER needs AUTH_AUDIENCE: put there what the issuer calls this app. If its tokens have no audience, " +
        "set AUTH_WITHOUT_AUDIENCE=1; tokens that it makes for other apps are then accepted here.",
    );
  }
  if (audience && acceptsAny)
    throw new Error("AUTH_AUDIENCE has no effect with AUTH_WITHOUT_AUDIENCE=1. Remove one of them.");
  const alone = Object.entries({ AUTH_AUDIENCE: audience, AUTH_JWKS_URL: jwksUrl, AUTH_WITHOUT_AUDIENCE: acceptsAny });
  const [useless] = alone.find(([, value]) => value && !issuer) ?? [];
  if (useless)
    throw new Error(`${useless} has no effect without AUTH_ISSUER. Put the issuer's URL there, or remove it.`);
}

/** Only asymmetric algorithms. With HMAC, anyone could sign with the public key, and `none` has no signature. */
const algorithms = ["RS256", "ES256", "EdDSA"];
/** The longest token to accept, in bytes. */
const maxLength = 8 * 1024;
/** How much the issuer's clock may differ, in seconds. */
const clockTolerance = 5;

/** Verifies a Bearer token and returns its claims. Throws `UNAUTHORIZED` unless an accepted issuer made it for this app. */
export async function verifyToken(token: string): Promise<JWTPayload> {
  try {
    if (token.length > maxLength) throw new Error(`it is longer than ${maxLength} bytes`);
    const { iss } = decodeJwt(token);
    const issuer = iss === ownIssuer ? own : issuers().find((known) => known.issuer === iss);
    if (!issuer) throw new Error(`its issuer ${quote(iss)} is not one of this app's`);
    const { payload } = await jwtVerify(token, await keysOf(issuer), {
      algorithms,
      clockTolerance,
      issuer: issuer.issuer,
      audience: issuer.audience,
      requiredClaims: ["sub", "exp"],
    });
    // jose does not check the type. As texts, all objects are equal, so their users would become one.
    if (typeof payload.sub !== "string" || payload.sub === "") throw new Error("its subject is not a text");
    if (unstorable.test(payload.sub)) throw new Error("its subject has a NUL or half of a surrogate pair");
    return payload;
  } catch (cause) {
    if (isUnreachable(cause)) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TRPCError({ code: "UNAUTHORIZED", message: `The Bearer token is not valid: ${reason}`, cause });
  }
}

/** Whether the issuer's keys could not be fetched, which is not the caller's fault. */
const isUnreachable = (error: unknown) =>
  error instanceof Error &&
  ["ERR_JWKS_TIMEOUT", "ERR_JOSE_GENERIC"].includes(String((error as { code?: unknown }).code));

const own: Issuer = { issuer: ownIssuer, audience: ownIssuer };

const keySets = new Map<string, Promise<JWTVerifyGetKey>>();

function keysOf(issuer: Issuer): Promise<JWTVerifyGetKey> {
  const known = keySets.get(issuer.issuer);
  if (known) return known;
  const keys = issuer === own ? Promise.resolve(ownKeys) : remoteKeys(issuer);
  keySets.set(issuer.issuer, keys);
  // After a failed discovery, try again with the next token.
  keys.catch(() => keySets.delete(issuer.issuer));
  return keys;
}

/** jose caches the keys. For an unknown key it fetches them again, at most every 30 seconds, because issuers rotate keys. */
async function remoteKeys({ issuer, jwksUrl }: Issuer): Promise<JWTVerifyGetKey> {
  return createRemoteJWKSet(new URL(jwksUrl ?? (await discover(issuer))), { timeoutDuration: 5000 });
}

/** OpenID Connect Discovery 1.0 §4. */
async function discover(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const response = await fetch(url, { signal: AbortSignal.timeout(5000), redirect: "error" });
  if (!response.ok) throw new Error(`Cannot discover issuer ${issuer}: ${url} answers ${response.status}`);
  const configuration: { issuer?: string; jwks_uri?: string } = await response.json();
  if (configuration.issuer !== issuer || !configuration.jwks_uri) {
    throw new Error(`Cannot discover issuer ${issuer}: ${url} is of issuer ${quote(configuration.issuer)}`);
  }
  return configuration.jwks_uri;
}

/** The app's own keys are in its database. */
const ownKeys: JWTVerifyGetKey = async (header, token) => {
  const rows = await lookups.jwks.findMany({ select: { id: true, publicKey: true } });
  const keys = rows.map(({ id, publicKey }) => ({ kid: id, ...JSON.parse(publicKey) })) as JSONWebKeySet["keys"];
  return createLocalJWKSet({ keys })(header, token);
};
