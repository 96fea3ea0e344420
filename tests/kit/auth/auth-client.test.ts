import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { browser, mailTo, member, newAddress, password } from "./people";

const { AuthError, authClient } = await import("~/kit/client/auth-client");

/** Has the client of pages call the app as this browser. */
const use = ({ send }: Pick<ReturnType<typeof browser>, "send">) =>
  vi.stubGlobal("fetch", (path: string, { headers, ...init }: RequestInit = {}) =>
    send(path, { ...init, headers: Object.fromEntries(new Headers(headers)) }),
  );

beforeEach(() => {
  vi.spyOn(console, "warn").mockReturnValue();
});
afterEach(() => {
  vi.unstubAllGlobals();
});

test("every call goes to the route of its name, and times are dates", async () => {
  use(browser());
  expect(await authClient.getSession()).toBeNull();
  const { user } = await authClient.signIn.anonymous();
  expect((await authClient.getSession())?.user.id).toBe(user.id);
  const [session] = await authClient.listSessions();
  expect(session?.updatedAt).toBeInstanceOf(Date);
  await authClient.signOut();
  expect(await authClient.getSession()).toBeNull();
});

test("what the server refuses is explained by its code", async () => {
  const person = await member();
  use(person);
  const wrong = authClient.changePassword({ currentPassword: "not this one", newPassword: "another long phrase" });
  await expect(wrong).rejects.toThrow(AuthError);
  await expect(wrong).rejects.toMatchObject({ code: "INVALID_PASSWORD", message: "This is not your password." });
  use({ send: async () => new Response("<h1>Bad gateway</h1>", { status: 502 }) });
  await expect(authClient.getSession()).rejects.toThrow("Something went wrong on the server. Try again.");
});

test("a plain route takes a body, and options of fetch and a query are passed on", async () => {
  const person = browser();
  use(person);
  const email = newAddress();
  await authClient.signUp.email({ name: "N", email, password });
  const { link } = await mailTo(email);
  const token = new URL(link).searchParams.get("token") ?? "";
  await authClient.$fetch("/sign-in/email", { method: "POST", body: { email, password, confirm: token } });
  const seen: string[] = [];
  use({
    send: async (path, init) => {
      seen.push(path, `${new Headers(init?.headers).get("x-test")}`);
      return person.send(path, init);
    },
  });
  const session = await authClient.getSession({ query: { disableCookieCache: true } }, { headers: { "x-test": "1" } });
  expect(session?.user.email).toBe(email);
  expect(seen).toEqual(["/api/auth/get-session?disableCookieCache=true", "1"]);
});
