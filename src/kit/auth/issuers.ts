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
