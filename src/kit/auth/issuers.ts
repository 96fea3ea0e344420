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
import { quote } from "../log/text";
import { env } from "../process/env";

/**
 * The issuer of the app's own sessions and tokens. It is part of every owner's name in the database, and so never
 * derived from a request or the app's host, which may change.
 */
export const ownIssuer = env.AUTH_OWN_ISSUER;

/** The name in the database of one of the app's own users. */
export const tokenIdentifier = (userId: string) => `${ownIssuer}|${userId}`;

/** Someone whose Bearer tokens this app accepts. */
export interface Issuer {
  /** The tokens' `iss`, exactly; where OpenID Connect discovery starts. */
  issuer: string;
  /** The tokens' `aud` has to have it: what this app is called there. Without it, tokens for any app are accepted. */
  audience?: string;
  /** Where the keys are; by default discovery tells. */
  jwksUrl?: string;
}

const added: Issuer[] = [];

/** Accepts tokens of more issuers than the environment names. */
export function acceptIssuers(issuers: readonly Issuer[]): void {
  added.push(...issuers);
}

/** The issuer of `AUTH_ISSUER`, and those that createKit was given. */
export function issuers(): readonly Issuer[] {
  const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, AUTH_JWKS_URL: jwksUrl } = env;
  return issuer ? [{ issuer, audience, jwksUrl }, ...added] : added;
}

/** Refuses settings of which each needs another. */
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

/** Only keys that verify and cannot sign: no `none`, and no HMAC, which a public key could be mistaken for. */
const algorithms = ["RS256", "ES256", "EdDSA"];
/** Bytes. */
const maxLength = 8 * 1024;
/** Seconds that clocks may differ. */
const clockTolerance = 5;

/** The claims of a Bearer token, by one of the app's issuers for this app. Throws `UNAUTHORIZED` for any other. */
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
    // The types say so; the token says what its issuer wrote. All whose subject reads alike would be one.
    if (typeof payload.sub !== "string" || payload.sub === "") throw new Error("its subject is not a text");
    return payload;
  } catch (cause) {
    if (isUnreachable(cause)) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TRPCError({ code: "UNAUTHORIZED", message: `The Bearer token is not valid: ${reason}`, cause });
  }
}

/** Our trouble, not the caller's: the issuer's keys could not be had. */
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
  // A discovery that failed is tried again with the next token.
  keys.catch(() => keySets.delete(issuer.issuer));
  return keys;
}

/** Cached by jose, and fetched again for a key it has not seen, at most every 30 seconds: keys rotate. */
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
