import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { httpAction, httpRouter } from "~/kit/http/http-router";

// An OpenID provider on loopback, with discovery, and keys that rotate.
const keys: Awaited<ReturnType<typeof key>>[] = [];
let issuer = "";
let requests = 0;
const provider = createServer((request, response) => {
  requests++;
  const documents: Record<string, unknown> = {
    "/.well-known/openid-configuration": { issuer, jwks_uri: `${issuer}/jwks` },
    "/jwks": { keys: keys.map(({ jwk }) => jwk) },
  };
  response.end(JSON.stringify(documents[request.url ?? ""] ?? {}));
});

async function key(alg: string, kid: string) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, kid, privateKey, jwk: { ...(await exportJWK(publicKey)), alg, kid, use: "sig" } };
}

const audience = "storage-app";
const now = () => Math.floor(Date.now() / 1000);
const claims = () => ({
  iss: issuer,
  aud: audience,
  sub: "ann",
  exp: now() + 60,
  name: "Ann",
  given_name: "A",
  team: "red",
});

async function sign(index: number, changes: object = {}, header: object = {}): Promise<string> {
  const { alg, kid, privateKey } = keys[index] ?? (await key("RS256", "unknown"));
  return new SignJWT({ ...claims(), ...changes }).setProtectedHeader({ alg, kid, ...header }).sign(privateKey);
}

beforeAll(async () => {
  keys.push(await key("RS256", "rsa"), await key("ES256", "ec"), await key("EdDSA", "ed"));
  await new Promise<void>((listening) => provider.listen(0, "127.0.0.1", listening));
  issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  process.env.AUTH_ISSUER = issuer;
  process.env.AUTH_AUDIENCE = audience;
});

afterAll(() => provider.close());

/** Returns the identity that tRPC and an HTTP action see for this token. */
async function ask(authorization: string) {
  const { query } = await import("~/kit/functions/builders");
  const { createRouter } = await import("~/kit/functions/router");
  const { serveRouter } = await import("~/kit/functions/router");
  const { serveHttp } = await import("~/kit/http/serve-http");
  const who = query({ handler: (ctx) => ctx.auth.getUserIdentity() });
  const http = httpRouter();
  http.route({
    path: "/who",
    method: "GET",
    handler: httpAction(async (ctx) => Response.json(await ctx.auth.getUserIdentity())),
  });
  const headers = { authorization };
  const [trpc, action] = await Promise.all([
    serveRouter(createRouter({ test: { who } }))(new Request("http://app.test/api/trpc/test.who", { headers })),
    serveHttp(http)(new Request("http://app.test/http/who", { headers })),
  ]);
  return { trpc, action };
}

describe("getUserIdentity", () => {
  test.each([0, 1, 2])("of a token signed with each algorithm, %#", async (index) => {
    const { trpc, action } = await ask(`Bearer ${await sign(index)}`);
    const identity = {
      tokenIdentifier: `${issuer}|ann`,
      subject: "ann",
      issuer,
      name: "Ann",
      givenName: "A",
      team: "red",
    };
    expect((await trpc.json()).result.data.json).toEqual(identity);
    expect(await action.json()).toEqual(identity);
  });

  test.each([
    [{ email_verified: "true" }, { emailVerified: true }],
    [{ email_verified: "false" }, { emailVerified: false }],
    [{ email: ["a@example.com"], name: { first: "Ann" }, isAnonymous: "false" }, { isAnonymous: false }],
  ])("of a token with %j has fields of the types that they say", async (sent, fields) => {
    const { action } = await ask(`Bearer ${await sign(0, { name: undefined, ...sent })}`);
    const { name, email, emailVerified, isAnonymous } = await action.json();
    expect({ name, email, emailVerified, isAnonymous }).toEqual(fields);
  });

  const attacks: [string, () => Promise<string>][] = [
    ["alg none", async () => new UnsecuredJWT(claims()).encode()],
    [
      "alg none, spelled otherwise",
      async () => `${btoa('{"alg":"nOnE"}').replaceAll("=", "")}.${(await sign(0)).split(".")[1]}.`,
    ],
    [
      "HMAC with the public key",
      async () => {
        const secret = new TextEncoder().encode(JSON.stringify(keys[0]?.jwk));
        return new SignJWT(claims()).setProtectedHeader({ alg: "HS256", kid: "rsa" }).sign(secret);
      },
    ],
    ["another's key of a known kid", async () => sign(9, {}, { kid: "rsa" })],
    ["an unknown kid", async () => sign(9)],
    ["another issuer", async () => sign(0, { iss: "https://evil.example.com" })],
    ["no issuer", async () => sign(0, { iss: undefined })],
    ["another audience", async () => sign(0, { aud: "other-app" })],
    ["no audience", async () => sign(0, { aud: undefined })],
    ["expired", async () => sign(0, { exp: now() - 10 })],
    ["without expiry", async () => sign(0, { exp: undefined })],
    ["not yet valid", async () => sign(0, { nbf: now() + 60 })],
    ["without subject", async () => sign(0, { sub: undefined })],
    ["with an empty subject", async () => sign(0, { sub: "" })],
    ["with an object as subject", async () => sign(0, { sub: { id: "ann" } })],
    ["with a list as subject", async () => sign(0, { sub: ["ann"] })],
    ["with a number as subject", async () => sign(0, { sub: 1 })],
    ["with a subject that cannot be stored", async () => sign(0, { sub: "an\0n" })],
    ["truncated", async () => (await sign(0)).slice(0, -10)],
    ["without signature", async () => `${(await sign(0)).split(".").slice(0, 2).join(".")}.`],
    ["changed", async () => (await sign(0)).replace(/\.(.)/, (_, first) => `.${first === "e" ? "f" : "e"}`)],
    ["oversized", async () => sign(0, { padding: "x".repeat(10_000) })],
    ["garbage", async () => "not a token"],
    ["empty", async () => ""],
    ["a key in its own header", async () => sign(9, {}, { jwk: (await key("RS256", "x")).jwk })],
  ];
  test.each(attacks)("of a token that is %s, 401", async (_, token) => {
    const { trpc, action } = await ask(`Bearer ${await token()}`);
    expect([trpc.status, action.status]).toEqual([401, 401]);
  });

  test.each([
    ["a clock 4 s behind, accepted", { exp: () => now() - 3 }, 200],
    ["a clock 4 s ahead, accepted", { nbf: () => now() + 4 }, 200],
  ])("with %s", async (_, change, status) => {
    const changes = Object.fromEntries(Object.entries(change).map(([claim, value]) => [claim, value?.()]));
    expect((await ask(`Bearer ${await sign(0, changes)}`)).trpc.status).toBe(status);
  });

  test("with Basic credentials, null", async () => {
    expect(await (await ask("Basic dTpw")).action.json()).toBeNull();
  });

  test("keys are cached", async () => {
    const before = requests;
    for (const _ of [1, 2, 3]) await ask(`Bearer ${await sign(0)}`);
    expect(requests).toBe(before);
  });
});

describe("the app's own sessions and tokens", () => {
  async function signInAsVisitor() {
    const { owners } = (await import("~/functions")).app;
    const serveAuth = (await import("~/kit/auth/serve-auth")).serveAuth({ owners });
    const send = (path: string, init: RequestInit = {}) =>
      serveAuth(new Request(`http://app.test/api/auth${path}`, init));
    const post = (path: string, body: object, cookie = "") =>
      send(path, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json", origin: "http://app.test", cookie },
      });
    const cookieOf = (response: Response) =>
      response.headers
        .getSetCookie()
        .map((cookie) => cookie.split(";")[0])
        .join("; ");
    const visitor = cookieOf(await post("/sign-in/anonymous", {}));
    return { send, post, cookieOf, visitor };
  }

  async function identityOf(headers: HeadersInit, method = "GET") {
    const { createRequestContext } = await import("~/kit/functions/request-context");
    return createRequestContext({ method, headers: new Headers(headers) }).identity();
  }

  /** Calls functions with a session's cookie. */
  async function as(cookie: string) {
    const { serveRouter } = await import("~/kit/functions/router");
    const { router } = (await import("~/functions")).app;
    const call = async (name: string, args?: object) => {
      const init = args && { method: "POST", body: JSON.stringify({ json: args }) };
      const headers = { cookie, "content-type": "application/json" };
      const request = new Request(`http://app.test/api/trpc/${name}`, { ...init, headers });
      const answer = await (await serveRouter(router)(request)).json();
      return answer.result?.data.json ?? expect.unreachable(JSON.stringify(answer));
    };
    return { call, identity: await identityOf({ cookie }) };
  }

  test.each<[string, (signedIn: Awaited<ReturnType<typeof signInAsVisitor>>, subject: string) => Promise<unknown>]>([
    ["the sign-out", ({ post, visitor }) => post("/sign-out", {}, visitor)],
    [
      "the visitor",
      async (_, subject) => {
        const { prisma } = await import("~/kit/database/database");
        await prisma.user.delete({ where: { id: subject } });
      },
    ],
  ])("a token ends with the session that it was made in: with %s", async (_, end) => {
    const signedIn = await signInAsVisitor();
    const { token } = await (await signedIn.send("/token", { headers: { cookie: signedIn.visitor } })).json();
    const headers = { authorization: `Bearer ${token}` };
    const subject = (await identityOf(headers))?.subject ?? "";
    expect(subject).not.toBe("");
    await end(signedIn, subject);
    await expect(identityOf(headers)).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  });

  test("a visitor has an identity, and a token of it says the same", async () => {
    const { send, visitor } = await signInAsVisitor();
    const identity = await identityOf({ cookie: visitor });
    expect(identity).toMatchObject({ issuer: "next-trpc-storage", isAnonymous: true });
    const { token } = await (await send("/token", { headers: { cookie: visitor } })).json();
    expect(await identityOf({ authorization: `Bearer ${token}` })).toMatchObject({
      tokenIdentifier: identity?.tokenIdentifier,
    });
  });

  test("a visitor who becomes an account keeps files, images, messages and uploads", async () => {
    const { post, cookieOf, visitor } = await signInAsVisitor();
    const { createRequestContext } = await import("~/kit/functions/request-context");
    const { router } = (await import("~/functions")).app;
    const { t } = await import("~/kit/functions/builders");
    const { post: upload } = await import("../caller");
    const as = (cookie: string) =>
      t.createCallerFactory(router)(createRequestContext({ method: "GET", headers: new Headers({ cookie }) }));

    const { storageId } = await (await upload(await as(visitor).files.generateUploadUrl(), "abc")).json();
    await as(visitor).files.saveFile({ storageId, name: "mine" });
    await as(visitor).messages.sendMessage({ author: "a", body: "mine" });
    const account = { email: "ann@example.com", password: "correct horse", name: "Ann" };
    const signedUp = cookieOf(await post("/sign-up/email", account, visitor));

    expect(await identityOf({ cookie: signedUp })).toMatchObject({ name: "Ann", email: "ann@example.com" });
    expect((await as(signedUp).files.list()).page).toMatchObject([{ name: "mine", storageId }]);
    expect((await as(signedUp).messages.list()).page).toMatchObject([{ body: "mine", isMine: true }]);
    await as(signedUp).files.delete({ storageId });
  });

  test.each(["before", "after"])(
    "an upload that a visitor began, and that ends %s they sign up, is the account's to claim",
    async (when) => {
      const { post, cookieOf, visitor } = await signInAsVisitor();
      const { createRequestContext } = await import("~/kit/functions/request-context");
      const { router } = (await import("~/functions")).app;
      const { t } = await import("~/kit/functions/builders");
      const { post: upload } = await import("../caller");
      const { prisma } = await import("~/kit/database/database");
      const as = (cookie: string) =>
        t.createCallerFactory(router)(createRequestContext({ method: "GET", headers: new Headers({ cookie }) }));
      const url = await as(visitor).files.generateUploadUrl();
      const before = (await identityOf({ cookie: visitor }))?.tokenIdentifier;
      const account = { email: `${when}@example.com`, password: "correct horse", name: when };
      const signedUp = cookieOf(await post("/sign-up/email", account, visitor));
      const { storageId } = await (await upload(url, "on its way")).json();
      if (when === "before") {
        // A statement that could not see the adoption yet wrote this row.
        await prisma.$transaction([
          prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
          prisma.$executeRaw`UPDATE "_storage" SET "owner" = ${before} WHERE "_id" = ${storageId}::uuid`,
        ]);
      }
      const stranger = await signInAsVisitor();
      await expect(as(stranger.visitor).files.saveFile({ storageId, name: "theirs" })).rejects.toMatchObject({
        code: "NOT_FOUND",
      });
      await as(signedUp).files.saveFile({ storageId, name: "mine" });
      expect((await as(signedUp).files.list()).page).toMatchObject([{ name: "mine", storageId }]);
    },
  );

  test("columns that look as if they said whose a row is are named, unless they are listed", async () => {
    const { findUnlistedOwners } = await import("~/kit/auth/owners");
    const { owners } = (await import("~/functions")).app;
    const { pool } = await import("~/kit/database/database");
    expect(await findUnlistedOwners(owners)).toEqual([]);
    await pool.query('CREATE TABLE notes (n int, "createdBy" text)');
    expect(await findUnlistedOwners(owners)).toEqual(["notes.createdBy"]);
    expect(await findUnlistedOwners({ file: "owner", image: "uploadedBy" })).toEqual([
      "messages.owner",
      "notes.createdBy",
    ]);
    await pool.query("DROP TABLE notes");
  });

  test("an account, after the app's host changed, is the same owner and keeps its files", async () => {
    const account = { email: "grace@example.com", password: "correct horse", name: "Grace" };
    const { post, cookieOf, visitor } = await signInAsVisitor();
    const before = await as(cookieOf(await post("/sign-up/email", account, visitor)));
    const { post: upload } = await import("../caller");
    const { storageId } = await (await upload(await before.call("files.generateUploadUrl", {}), "abc")).json();
    await before.call("files.saveFile", { storageId, name: "mine" });

    vi.resetModules();
    const origin = "https://moved.example.com";
    vi.stubEnv("APP_ORIGIN", origin);
    try {
      const serveAuth = (await import("~/kit/auth/serve-auth")).serveAuth({ owners: {} });
      const signIn = new Request(`${origin}/api/auth/sign-in/email`, {
        method: "POST",
        headers: { "content-type": "application/json", origin },
        body: JSON.stringify(account),
      });
      const after = await as(cookieOf(await serveAuth(signIn)));
      expect(after.identity?.tokenIdentifier).toBe(before.identity?.tokenIdentifier);
      const { page } = await after.call("files.list");
      expect(page).toMatchObject([{ name: "mine", storageId, url: expect.stringMatching(`^${origin}/`) }]);
    } finally {
      vi.unstubAllEnvs();
      vi.resetModules();
    }
  });

  test("a cookie sent by another site's page, FORBIDDEN", async () => {
    const { visitor: cookie } = await signInAsVisitor();
    const evil = "https://evil.example.com";
    await expect(identityOf({ cookie, origin: evil }, "POST")).rejects.toMatchObject({ code: "FORBIDDEN" });
    await expect(identityOf({ cookie, "sec-fetch-site": "cross-site" }, "POST")).rejects.toMatchObject({
      code: "FORBIDDEN",
    });
    expect(await identityOf({ cookie, origin: "http://app.test" }, "POST")).not.toBeNull();
    const { serveRouter } = await import("~/kit/functions/router");
    const { router } = (await import("~/functions")).app;
    const response = await serveRouter(router)(
      new Request("http://app.test/api/trpc/messages.sendMessage", {
        method: "POST",
        headers: { cookie, origin: evil, "content-type": "application/json" },
        body: JSON.stringify({ json: { author: "a", body: "forged" } }),
      }),
    );
    expect(response.status).toBe(403);
  });

  test("too many sign-ins, 429 with Retry-After", async () => {
    const { env } = await import("~/kit/process/env");
    vi.spyOn(env, "RATE_LIMIT_SIGN_IN", "get").mockReturnValue(0.01);
    const { post } = await signInAsVisitor();
    const response = await post("/sign-in/email", { email: "a@example.com", password: "x" });
    expect([response.status, Number(response.headers.get("retry-after"))]).toEqual([429, expect.any(Number)]);
  });
});
