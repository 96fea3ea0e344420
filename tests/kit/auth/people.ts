import { randomUUID } from "node:crypto";
import { hashPassword } from "better-auth/crypto";
import { afterAll } from "vitest";
import { startOauth } from "../stand-ins/oauth";
import { redirectOauthHosts } from "../stand-ins/redirect-oauth-hosts.mjs";

// People with accounts. The app sends mail and accepts GitHub and Google, because these settings are made before any module
// reads them.

export const oauth = await startOauth();
const restoreHosts = redirectOauthHosts(oauth.url);
afterAll(async () => {
  restoreHosts();
  await oauth.stop();
});
Object.assign(process.env, oauth.settings, { SMTP_URL: "smtp://127.0.0.1", EMAIL_FROM: "App <app@example.com>" });
const { app } = await import("~/functions");
const { sent } = await import("~/functions/email");
const { serveAuth } = await import("~/kit/auth/serve-auth");
const { database, testApp } = await import("~/kit/testing");

export { app, database };
export const { as, upload, runJobs } = testApp(app);
const handle = serveAuth(app);
export const password = "a long enough phrase";

/** A browser, reduced to its cookies. */
export function browser() {
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
    /** Goes to a provider, where `oauth.person` agrees, and returns the URL to which the provider leads back. */
    async goTo(provider: "github" | "google", { path = "/sign-in/social", callbackURL = "/" } = {}) {
      const { body, status } = await this.post(path, { provider, callbackURL, errorCallbackURL: "/failed" });
      if (status !== 200) return body.code;
      const { pathname, search } = new URL(body.url);
      const agreed = await fetch(oauth.url + pathname + search, { redirect: "manual" });
      return (await send(agreed.headers.get("location") ?? "")).headers.get("location");
    },
    user: async () => (await (await send("/get-session")).json())?.user ?? null,
  };
}

/** The mails to this address since it was last asked for. */
export async function mailsTo(address: string) {
  await runJobs();
  const mails = sent.filter(({ to }) => to === address);
  for (const mail of mails) sent.splice(sent.indexOf(mail), 1);
  return mails.map(({ subject, text }) => ({ about: subject, link: text }));
}

/** The only such mail. */
export async function mailTo(address: string) {
  const [mail, ...more] = await mailsTo(address);
  if (!mail || more.length > 0) throw new Error(`There are ${more.length + (mail ? 1 : 0)} mails to ${address}`);
  return mail;
}

export const tokenOf = (link: string) => new URL(link).searchParams.get("token") ?? "";

let count = 0;
export const newAddress = () => `person${++count}@example.com`;

/** The `tokenIdentifier` of an account. */
export const ownerOf = (id: string) => `next-trpc-storage|${id}`;

const passwordHash = await hashPassword(password);

/** A person who is signed in to an account with a confirmed address. It has the rows that signing up makes. */
export async function member(email = newAddress()) {
  const person = browser();
  const id = randomUUID();
  const credential = { id, accountId: id, providerId: "credential", password: passwordHash, updatedAt: new Date() };
  const user = { id, email, name: "N", emailVerified: true, updatedAt: new Date() };
  await database.user.create({ data: { ...user, accounts: { create: credential } } });
  await person.post("/sign-in/email", { email, password });
  return { ...person, email, id };
}
