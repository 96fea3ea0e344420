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
import { type Issuer, issuers, ownIssuer } from "./issuers";

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
