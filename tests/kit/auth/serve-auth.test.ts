import { createHmac } from "node:crypto";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { app } from "~/functions";
import { identify } from "~/kit/auth/identity";
import { serveAuth } from "~/kit/auth/serve-auth";
import { pool } from "~/kit/database/database";
import { env } from "~/kit/process/env";
import { limits } from "~/kit/process/limits";

const handle = serveAuth(app);
const send = (path: string, body: unknown, address = "192.0.2.1") =>
  handle(
    new Request(`http://app.test/api/auth${path}`, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "Content-Type": "application/json", "X-Forwarded-For": address, Origin: env.APP_ORIGIN ?? "" },
    }),
  );
const password = "a long enough phrase";
const signUp = (email: string, chosen = password) => send("/sign-up/email", { email, password: chosen, name: "N" });
const signIn = async (email: string, guess: string, address?: string) =>
  (await send("/sign-in/email", { email, password: guess }, address)).status;

beforeEach(async () => {
  await pool.query("TRUNCATE _rate_limits");
  vi.spyOn(env, "TRUST_PROXY", "get").mockReturnValue(1);
});

describe("wrong passwords", () => {
  beforeEach(() => void vi.spyOn(env, "RATE_LIMIT_SIGN_IN", "get").mockReturnValue(3));

  test("of one account are refused after some, from wherever they come; the right one always gets through", async () => {
    vi.mocked(vi.spyOn(env, "RATE_LIMIT_SIGN_IN", "get")).mockReturnValue(3);
    await signUp("ann@example.com");
    const statuses = [];
    for (let n = 0; n < 5; n++) statuses.push(await signIn("ann@example.com", `wrong guess ${n}`, `192.0.2.${n}`));
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect(await signIn("ann@example.com", password)).toBe(200);
  });

  test("from one network are refused after some, whichever of its addresses and accounts they are for", async () => {
    const statuses = [];
    for (let n = 0; n < 5; n++) statuses.push(await signIn(`nobody${n}@example.com`, "wrong guess", `2001:db8::${n}`));
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect(await signIn("nobody9@example.com", "wrong guess", "2001:db8:1::1")).toBe(401);
  });

  test("of an account count once, however its address is spelled", async () => {
    const spellings = ["eve@example.com", "EVE@example.com", "Eve@Example.com", "eve@example.COM"];
    const statuses = [];
    for (const [n, email] of spellings.entries()) statuses.push(await signIn(email, "wrong guess", `192.0.2.${n}`));
    expect(statuses.at(-1)).toBe(429);
  });
});

test("JSON that is nested too deep is refused, and what a client does wrong is no error in the log", async () => {
  const error = vi.spyOn(console, "error");
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  expect((await send("/sign-in/email", `{"email":${"[".repeat(5_000)}${"]".repeat(5_000)}}`)).status).toBe(400);
  const callbackURL = `https://evil.example/${"a".repeat(10_000)}`;
  expect((await send("/sign-in/email", { email: "a@example.com", password, callbackURL })).status).toBe(403);
  expect(error).not.toHaveBeenCalled();
  expect(warn.mock.calls).toEqual([["Better Auth:", expect.stringMatching(/^Invalid callbackURL.{180,260}$/)]]);
  vi.restoreAllMocks();
});

test("signing in with the right password is not counted", async () => {
  vi.spyOn(env, "RATE_LIMIT_SIGN_IN", "get").mockReturnValue(2);
  await signUp("bob@example.com");
  for (let n = 0; n < 5; n++) expect(await signIn("bob@example.com", password)).toBe(200);
});

test("requests that no endpoint answers are not counted", async () => {
  vi.spyOn(env, "RATE_LIMIT_SIGN_IN", "get").mockReturnValue(1);
  for (let n = 0; n < 3; n++) await send("/sign-in/nowhere", {});
  expect((await signUp("cat@example.com")).status).toBe(200);
});

test("signing up too often from one network, 429 with when to try again", async () => {
  vi.spyOn(env, "RATE_LIMIT_SIGN_IN", "get").mockReturnValue(1);
  expect((await signUp("dan1@example.com")).status).toBe(200);
  const refused = await signUp("dan2@example.com");
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
});

test.each(["password1", "QWERTYUIOP", "iloveyou"])(
  "the common password %s is refused with a sentence",
  async (chosen) => {
    const response = await signUp("fay@example.com", chosen);
    expect(response.status).toBe(400);
    expect((await response.json()).message).toContain("Choose another");
  },
);

test("a body larger than the limit is a 413, and one that is no JSON object a 400", async () => {
  expect((await signUp("a".repeat(limits.authBytes))).status).toBe(413);
  expect((await send("/sign-in/email", "{")).status).toBe(400);
  expect((await send("/sign-in/email", "[]")).status).toBe(400);
});

test("answers are never cached", async () => {
  const session = await handle(new Request("http://app.test/api/auth/get-session"));
  for (const response of [session, await signUp("gil@example.com")]) {
    expect(response.headers.get("cache-control")).toBe("private, no-store");
  }
});

test("a secret that was replaced leaves a key that nobody can read: the next token is signed by a new one", async () => {
  vi.spyOn(console, "error").mockReturnValue();
  const signedIn = await send("/sign-in/anonymous", {});
  const cookie = signedIn.headers
    .getSetCookie()
    .map((set) => set.split(";")[0])
    .join("; ");
  const token = () => handle(new Request("http://app.test/api/auth/token", { headers: { cookie } }));
  expect((await token()).status).toBe(200);
  const before = await pool.query('SELECT "_id", "privateKey" FROM "_jwks"');
  // Replaces the keys by ones that another secret encrypted.
  await pool.query(
    `UPDATE "_jwks" SET "privateKey" = regexp_replace("privateKey", '[0-9a-f]{8}([^0-9a-f]*)$', '00000000\\1')`,
  );
  const answer = await token();
  expect([answer.status, await answer.json()]).toMatchObject([200, { token: expect.any(String) }]);
  const after = await pool.query('SELECT "_id" FROM "_jwks"');
  expect(after.rowCount).toBe((before.rowCount ?? 0) + 1);
  expect((await token()).status).toBe(200);
  expect((await pool.query('SELECT FROM "_jwks"')).rowCount).toBe(after.rowCount);
});

test("a session whose cookie an older secret of the list signed goes on; one of a removed secret has ended", async () => {
  const old = "the secret that was replaced by another one";
  const { APP_SECRET } = env;
  const [set = ""] = (await send("/sign-in/anonymous", {})).headers.getSetCookie();
  const [, name = "", text = ""] = /^([^=]+)=([^;]+)/.exec(set) ?? [];
  const [value = ""] = decodeURIComponent(text).split(".");
  const signature = createHmac("sha256", old).update(value).digest("base64");
  const cookie = `theme=dark; ${name}=${encodeURIComponent(`${value}.${signature}`)}`;
  const session = async () =>
    (await handle(new Request("http://app.test/api/auth/get-session", { headers: { cookie } }))).json();

  expect([await session(), await identify({ method: "GET", headers: new Headers({ cookie }) })]).toEqual([null, null]);
  vi.spyOn(env, "APP_SECRET", "get").mockReturnValue([...APP_SECRET, old]);
  const { user } = await session();
  expect(await identify({ method: "GET", headers: new Headers({ cookie }) })).toMatchObject({
    subject: user.id,
    isAnonymous: true,
  });
  const forged = cookie.replace(encodeURIComponent(signature).slice(0, 4), "AAAA");
  expect(await identify({ method: "GET", headers: new Headers({ cookie: forged }) })).toBeNull();
});
