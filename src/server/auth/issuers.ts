import { env } from "../env";

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
  /** The tokens' `aud` has to have it: what this app is called there. */
  audience: string;
  /** Where the keys are; by default discovery tells. */
  jwksUrl?: string;
}

const added: Issuer[] = [];

/** Accepts tokens of more issuers than the environment names. */
export function acceptIssuers(issuers: readonly Issuer[]): void {
  added.push(...issuers);
}

/** The issuer of `AUTH_ISSUER`, and those of the app's `auth.config.ts`. */
export function issuers(): readonly Issuer[] {
  const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, AUTH_JWKS_URL: jwksUrl } = env;
  return issuer && audience ? [{ issuer, audience, jwksUrl }, ...added] : added;
}
