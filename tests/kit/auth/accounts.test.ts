import { beforeEach, describe, expect, test, vi } from "vitest";

// Set before Better Auth is made: with mail, addresses have to be confirmed.
Object.assign(process.env, { SMTP_URL: "smtp://127.0.0.1", EMAIL_FROM: "App <app@example.com>" });
const { app } = await import("~/functions");
const { sent } = await import("~/functions/email");
const { serveAuth } = await import("~/kit/auth/serve-auth");
const { database, testApp } = await import("~/kit/testing");

const { runJobs } = testApp(app);
const handle = serveAuth(app);
const password = "a long enough phrase";

/** A browser, as far as cookies go. */
function browser() {
  const jar = new Map<string, string>();
  async function send(path: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { origin: "http://app.test", ...(cookie && { cookie }), ...init.headers };
    const url = new URL(/^(http:|\/api\/)/.test(path) ? path : `/api/auth${path}`, "http://app.test");
    const response = await handle(new Request(url, { redirect: "manual", ...init, headers }));
    for (const set of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === "" || /max-age=0/i.test(set)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }
  return {
    jar,
    send,
    async post(path: string, body: object = {}) {
      const headers = { "content-type": "application/json" };
      const response = await send(path, { method: "POST", body: JSON.stringify(body), headers });
      return { status: response.status, body: await response.json() };
    },
    user: async () => (await (await send("/get-session")).json())?.user ?? null,
  };
}

/** The mails to this address since it was last asked for. */
async function mailsTo(address: string) {
  await runJobs();
  const mails = sent.filter(({ to }) => to === address);
  for (const mail of mails) sent.splice(sent.indexOf(mail), 1);
  return mails.map(({ subject, text }) => ({ about: subject, link: text }));
}

/** The only such mail. */
async function mailTo(address: string) {
  const [mail, ...more] = await mailsTo(address);
  if (!mail || more.length > 0) throw new Error(`There are ${more.length + (mail ? 1 : 0)} mails to ${address}`);
  return mail;
}

const tokenOf = (link: string) => new URL(link).searchParams.get("token") ?? "";

let count = 0;
const newAddress = () => `person${++count}@example.com`;

/** Somebody with an account whose address is confirmed, signed in. */
async function member(email = newAddress()) {
  const person = browser();
  await person.post("/sign-up/email", { name: "N", email, password });
  const confirm = tokenOf((await mailTo(email)).link);
  expect((await person.post("/sign-in/email", { email, password, confirm })).status).toBe(200);
  return { ...person, email };
}

beforeEach(async () => {
  await database.rateLimit.deleteMany();
  vi.spyOn(console, "warn").mockReturnValue();
});

describe("a new account", () => {
  test("is signed in with by its mail and its password together, and takes along what the visitor had", async () => {
    const email = newAddress();
    const person = browser();
    await person.post("/sign-in/anonymous");
    const visitor = await person.user();
    const owner = (id: string) => `next-trpc-storage|${id}`;
    await database.message.create({ data: { body: "b", author: "a", format: "text", owner: owner(visitor.id) } });

    const signedUp = await person.post("/sign-up/email", { name: "N", email, password, callbackURL: "/gallery" });
    expect(signedUp).toMatchObject({ status: 200, body: { token: null } });
    expect(await person.user()).toMatchObject({ id: visitor.id });
    const refused = await person.post("/sign-in/email", { email, password });
    expect(refused).toMatchObject({ status: 403, body: { code: "EMAIL_NOT_VERIFIED" } });

    const { link, about } = await mailTo(email);
    expect(about).toBe("confirm");
    const followed = await person.send(link);
    expect(followed.status).toBe(302);
    const page = new URL(followed.headers.get("location") ?? "", "http://app.test");
    expect(page.pathname).toBe("/sign-in");
    const confirm = page.searchParams.get("confirm");
    expect((await person.post("/sign-in/email", { email, password: "some other phrase", confirm })).status).toBe(401);
    expect((await person.post("/sign-in/email", { email, password, confirm })).status).toBe(200);

    const user = await person.user();
    expect(user).toMatchObject({ email, emailVerified: true });
    expect(await database.message.count({ where: { owner: owner(user.id) } })).toBe(1);
    // From here the link leads on to where the account was created.
    const goneOn = await person.send(page.searchParams.get("next") ?? "");
    expect([goneOn.status, goneOn.headers.get("location")]).toEqual([302, "/gallery"]);
  });

  test("gets its mail again when it is asked for", async () => {
    const email = newAddress();
    const person = browser();
    await person.post("/sign-up/email", { name: "N", email, password });
    await mailTo(email);
    await person.post("/send-verification-email", { email });
    expect((await mailTo(email)).about).toBe("confirm");
  });
});

describe("a forgotten password", () => {
  test("is replaced by a mail's link, once, which signs out all devices", async () => {
    const person = await member();
    const stranger = browser();
    expect((await stranger.post("/request-password-reset", { email: person.email })).status).toBe(200);
    const token = tokenOf((await mailTo(person.email)).link);
    const chosen = "another long phrase";
    expect((await stranger.post("/reset-password", { token, newPassword: "password1" })).body.code).toBe(
      "COMMON_PASSWORD",
    );
    expect((await stranger.post("/reset-password", { token, newPassword: chosen })).status).toBe(200);
    expect(await person.user()).toBeNull();
    expect((await stranger.post("/sign-in/email", { email: person.email, password })).status).toBe(401);
    expect((await stranger.post("/sign-in/email", { email: person.email, password: chosen })).status).toBe(200);
    expect((await stranger.post("/reset-password", { token, newPassword: "a third long phrase" })).status).toBe(400);
  });

  test("cannot be replaced by a link that is too old", async () => {
    const person = await member();
    await person.post("/request-password-reset", { email: person.email });
    const token = tokenOf((await mailTo(person.email)).link);
    await database.verification.updateMany({ data: { expiresAt: new Date() } });
    expect(await person.post("/reset-password", { token, newPassword: "another long phrase" })).toMatchObject({
      status: 400,
      body: { code: "INVALID_TOKEN" },
    });
  });
});

describe("a mail", () => {
  test("goes to one address ten times an hour at most, whoever asks", async () => {
    const email = newAddress();
    const ask = async () => (await browser().post("/request-password-reset", { email })).status;
    const statuses = await Promise.all(Array.from({ length: 11 }, ask));
    expect(statuses.sort()).toEqual([...Array(10).fill(200), 429]);
  });
});
