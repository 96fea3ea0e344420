import { once } from "node:events";
import { createServer } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

/** An issuer whose Bearer tokens the servers accept. */
export interface Issuer {
  /** Environment variables of a server that accepts them. */
  settings: Record<string, string>;
  /** `tokenIdentifier` of a subject, and a token for an hour or two. */
  introduce(subject: string): Promise<{ owner: string; token: string }>;
  stop(): void;
}

const audience = "crash-test";

export async function startIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: "ES256", use: "sig" }] });
  const server = createServer((_, response) => response.end(keys)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The issuer does not listen");
  const issuer = `http://127.0.0.1:${address.port}`;
  return {
    settings: { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, AUTH_JWKS_URL: `${issuer}/keys` },
    async introduce(subject) {
      const claims = new SignJWT({ iss: issuer, aud: audience, sub: subject }).setExpirationTime("2h");
      return {
        owner: `${issuer}|${subject}`,
        token: await claims.setProtectedHeader({ alg: "ES256" }).sign(privateKey),
      };
    },
    stop: () => server.close(),
  };
}
