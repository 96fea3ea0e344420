import { createHash, randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { type Answer, type StandIn, startStandIn } from "./stand-in";

export interface Person {
  id: string;
  email: string;
  /** Whether the provider knows that the address is theirs. */
  isVerified: boolean;
}

/** GitHub and Google on loopback: OAuth 2.0 with PKCE (RFC 6749, RFC 7636), as far as Better Auth uses them. */
export interface OauthStandIn extends StandIn {
  /** The person who is signed in at the providers, and agrees. */
  person: Person;
  /** The settings of an app that uses the stand-in. */
  settings: Record<string, string>;
}

const clientSecret = "a secret of the stand-in";

export async function startOauth(): Promise<OauthStandIn> {
  /** By code: what the authorization request said, and who agreed. Each code is used once. */
  const codes = new Map<string, { request: URLSearchParams; person: Person }>();
  const people = new Map<string, Person>();

  function authorize(request: URLSearchParams): Answer {
    const code = randomUUID();
    codes.set(code, { request, person: standIn.person });
    const back = new URL(request.get("redirect_uri") ?? "");
    back.search = new URLSearchParams({ code, state: request.get("state") ?? "" }).toString();
    return { status: 302, headers: { Location: back.href } };
  }

  async function exchange(body: URLSearchParams): Promise<Answer> {
    const code = body.get("code") ?? "";
    const issued = codes.get(code);
    codes.delete(code);
    const challenge = createHash("sha256")
      .update(body.get("code_verifier") ?? "")
      .digest("base64url");
    const isValid =
      issued?.request.get("code_challenge_method") === "S256" &&
      issued.request.get("code_challenge") === challenge &&
      issued.request.get("redirect_uri") === body.get("redirect_uri") &&
      body.get("client_secret") === clientSecret;
    if (!issued || !isValid) return json({ error: "invalid_grant" }, 400);
    const { id, email, isVerified } = issued.person;
    const access_token = randomUUID();
    people.set(access_token, issued.person);
    const id_token = await new SignJWT({ email, email_verified: isVerified, name: "Ada Lovelace" })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject(id)
      .sign(new TextEncoder().encode(clientSecret));
    return json({ access_token, id_token, token_type: "bearer", expires_in: 3600 });
  }

  const server = await startStandIn(async (request, body) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://stand-in");
    const person = people.get(request.headers.authorization?.replace(/^Bearer /, "") ?? "");
    if (/^\/(o\/oauth2\/v2\/auth|login\/oauth\/authorize)$/.test(pathname)) return authorize(searchParams);
    if (/^\/(token|login\/oauth\/access_token)$/.test(pathname)) return exchange(new URLSearchParams(String(body)));
    if (!person) return { status: 401 };
    if (pathname === "/user/emails") {
      return json([{ email: person.email, primary: true, verified: person.isVerified }]);
    }
    return json({ id: person.id, login: "ada", name: "Ada Lovelace", email: person.email });
  });
  const standIn: OauthStandIn = Object.assign(server, {
    person: { id: "1", email: "ada@example.com", isVerified: true },
    settings: {
      GITHUB_CLIENT_ID: "github-client",
      GITHUB_CLIENT_SECRET: clientSecret,
      GOOGLE_CLIENT_ID: "google-client",
      GOOGLE_CLIENT_SECRET: clientSecret,
    },
  });
  return standIn;
}

const json = (body: unknown, status = 200): Answer => ({
  status,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});
