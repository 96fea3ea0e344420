import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { app } from "~/functions";
import { auth } from "~/kit/auth/better-auth";
import { prisma } from "~/kit/database/database";
import { t } from "~/kit/functions/builders";
import { createSystemContext } from "~/kit/functions/request-context";
import { serveRouter } from "~/kit/functions/router";
import { hasAdministrator, setAdministrator } from "../../../scripts/administrators.mjs";
import { account } from "./administrator";

const { router } = app;

const calls = Object.keys(router._def.procedures).filter((name) => name.startsWith("dashboard."));
const url = process.env.DATABASE_URL ?? "";

/** Calls by path, whatever the type of the arguments. */
async function call(caller: Parameters<ReturnType<typeof t.createCallerFactory>>[0], path: string): Promise<unknown> {
  const api = t.createCallerFactory(router)(caller);
  const procedure = path.split(".").reduce<unknown>((at, name) => Reflect.get(at as object, name), api);
  return (procedure as (args: unknown) => Promise<unknown>)({});
}

describe("dashboard calls", () => {
  test("there are some", () => expect(calls.length).toBeGreaterThan(10));

  test.each(calls)("%s, NOT_FOUND for a visitor, an account and another issuer's subject", async (name) => {
    const nobody = createSystemContext();
    const { caller: ordinary } = await account({ isAdmin: false });
    const { user } = await account({ isAdmin: true });
    const other = { tokenIdentifier: `https://other|${user.id}`, subject: user.id, issuer: "https://other" };
    for (const caller of [nobody, ordinary, { ...nobody, identity: async () => other }]) {
      await expect(call(caller, name)).rejects.toMatchObject({
        code: "NOT_FOUND",
        message: `No procedure found on path "${name}"`,
      });
    }
  });

  test.each(["GET", "POST"])("are answered like those that do not exist, with %s too", async (method) => {
    const serve = serveRouter(router);
    const ask = async (name: string) => {
      const body = method === "POST" ? '{"json":{}}' : null;
      const response = await serve(new Request(`http://app.test/api/trpc/${name}`, { method, body }));
      const { error }: { error: { json: { code: number; message: string; data: object } } } = await response.json();
      const { code, message, data } = error.json;
      return [response.status, code, message.replace(name, "…"), { ...data, path: "…", stack: "…" }];
    };
    // One that is read and one that changes something.
    for (const name of ["dashboard.files.total", "dashboard.functions.run"]) {
      expect(await ask(name)).toEqual(await ask("dashboard.files.nothing"));
    }
  });

  test("are answered like those that do not exist, among other calls of one request", async () => {
    const serve = serveRouter(router);
    const status = async (names: string) =>
      (await serve(new Request(`http://app.test/api/trpc/${names}?batch=1`, { method: "POST", body: "{}" }))).status;
    for (const other of ["messages.sendMessage", "messages.list", "messages.nothing"]) {
      expect(await status(`dashboard.files.total,${other}`)).toBe(await status(`dashboard.files.nothing,${other}`));
    }
  });

  test("an administrator's right ends at once", async () => {
    const { api, user } = await account({ isAdmin: true });
    await api.dashboard.files.total();
    await setAdministrator(url, user.email, false);
    await expect(api.dashboard.files.total()).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("the admin role", () => {
  const post = (path: string, body: object, headers = {}) =>
    auth({ owners: {} }).handler(
      new Request(`http://app.test/api/auth${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Origin: "http://app.test", ...headers },
        body: JSON.stringify(body),
      }),
    );

  test("cannot be had by signing up or by updating oneself", async () => {
    const email = "eve@example.com";
    const signedUp = await post("/sign-up/email", {
      name: "Eve",
      email,
      password: "correct horse",
      isAdmin: true,
      role: "admin",
    });
    const cookie = signedUp.headers
      .getSetCookie()
      .map((set) => set.split(";")[0])
      .join("; ");
    await post("/update-user", { name: "Eve", isAdmin: true, role: "admin" }, { cookie });
    expect(await prisma.user.findUnique({ where: { email } })).toMatchObject({ name: "Eve", isAdmin: false });
    await post("/update-user", { name: "Eva" }, { cookie });
    expect(await prisma.user.findUnique({ where: { email } })).toMatchObject({ name: "Eva", isAdmin: false });
  });

  test("is given and taken by the script's functions, which say whether anything changed", async () => {
    await prisma.user.updateMany({ data: { isAdmin: false } });
    expect(await hasAdministrator(url)).toBe(false);
    const { user } = await account({ isAdmin: false });
    expect(await setAdministrator(url, user.email.toUpperCase(), true)).toMatchObject({ name: "Ada", changed: true });
    expect(await setAdministrator(url, user.email, true)).toMatchObject({ name: "Ada", changed: false });
    expect(await setAdministrator(url, user.id, true)).toMatchObject({ email: user.email, changed: false });
    expect(await hasAdministrator(url)).toBe(true);
    await expect(setAdministrator(url, "nobody@example.com", true)).rejects.toThrow(
      'There is no account with the id or email address "nobody@example.com"',
    );
  });

  test("is given only to a confirmed address where the app sends mail", async () => {
    const { user } = await account({ isAdmin: false });
    vi.stubEnv("SMTP_URL", "smtp://mail.example.com");
    await expect(setAdministrator(url, user.id, true)).rejects.toThrow("has not confirmed its email address");
    await prisma.user.update({ where: { id: user.id }, data: { emailVerified: true } });
    expect(await setAdministrator(url, user.id, true)).toMatchObject({ changed: true });
    vi.unstubAllEnvs();
  });

  const run = (...args: string[]) => {
    const script = fileURLToPath(new URL("../../../scripts/kit.mjs", import.meta.url));
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, "admin", ...args], { encoding: "utf8" });
    return { status, text: stdout + stderr };
  };

  test("an email address finds an account and does not promote it; its id does", async () => {
    const { user } = await account({ isAdmin: false });
    const isAdmin = async () => (await prisma.user.findUnique({ where: { id: user.id } }))?.isAdmin;
    const refused = run(user.email);
    expect([refused.status, await isAdmin()]).toEqual([1, false]);
    expect(refused.text).toContain(`npm run admin -- ${user.id}`);
    const given = run(user.id);
    expect([given.status, await isAdmin()]).toEqual([0, true]);
    for (const part of [user.id, user.email, user.name, user.createdAt.toISOString()])
      expect(given.text).toContain(part);
    expect([run(user.email, "--remove").status, await isAdmin()]).toEqual([0, false]);
  });

  test("what an account is called cannot write over the terminal", async () => {
    const { user } = await account({ isAdmin: false });
    await prisma.user.update({ where: { id: user.id }, data: { name: 'Ada\r\u001b[2K\u202e"root' } });
    expect(run(user.id).text).toContain(String.raw`"Ada\r\u001b[2K\u{202e}\"root"`);
  });

  test("of visitors there is none", async () => {
    const email = "visitor@visitors.invalid";
    await prisma.user.create({ data: { id: "v", name: "Visitor", email, isAnonymous: true, updatedAt: new Date() } });
    await expect(setAdministrator(url, email, true)).rejects.toThrow("There is no account");
  });
});
