import { createOTP } from "@better-auth/utils/otp";
import { expect, test } from "vitest";
import { app } from "~/functions";
import { authRoute } from "~/kit/next";

// code.test.ts runs this in a project that has the recipes of docs/recipes for accounts.

const handle = authRoute(app);

function browser() {
  const jar = new Map<string, string>();
  return async (path: string, body?: object) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const init = body && { method: "POST", body: JSON.stringify(body) };
    const headers = { "content-type": "application/json", origin: "http://app.test", cookie };
    const response = await handle(new Request(`http://app.test/api/auth${path}`, { ...init, headers }));
    for (const set of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === "" || /max-age=0/i.test(set)) jar.delete(name);
      else jar.set(name, value);
    }
    return response.json();
  };
}

const password = "a long enough phrase";

async function member(email: string) {
  const send = browser();
  await send("/sign-up/email", { name: "N", email, password });
  return send;
}

test("with two-factor, a password alone does not sign in", async () => {
  const send = await member("ann@example.com");
  const { totpURI, backupCodes } = await send("/two-factor/enable", { password });
  const { searchParams } = new URL(totpURI);
  const code = () => createOTP(base32(searchParams.get("secret") ?? "")).totp();
  await send("/two-factor/verify-totp", { code: await code() });

  const other = browser();
  expect(await other("/sign-in/email", { email: "ann@example.com", password })).toMatchObject({
    twoFactorRedirect: true,
  });
  expect(await other("/get-session")).toBeNull();
  expect((await other("/two-factor/verify-totp", { code: "000000" })).code).toBe("INVALID_CODE");
  await other("/two-factor/verify-totp", { code: await code() });
  expect((await other("/get-session")).user).toMatchObject({ twoFactorEnabled: true });

  const third = browser();
  await third("/sign-in/email", { email: "ann@example.com", password });
  await third("/two-factor/verify-backup-code", { code: backupCodes[0] });
  expect((await third("/get-session")).user.email).toBe("ann@example.com");
});

test("with passkeys, options to register one name this host", async () => {
  const send = await member("bob@example.com");
  expect(await send("/passkey/generate-register-options")).toMatchObject({ rp: { id: "app.test" } });
  expect(await send("/passkey/list-user-passkeys")).toEqual([]);
});

test("with organizations, whoever creates one is in it, and others are not", async () => {
  const [send, other] = [await member("cat@example.com"), await member("dan@example.com")];
  const made = await send("/organization/create", { name: "Cats", slug: "cats" });
  expect(made).toMatchObject({ name: "Cats", members: [{ role: "owner" }] });
  expect(await send("/organization/list")).toMatchObject([{ name: "Cats" }]);
  expect(await other("/organization/list")).toEqual([]);
  expect((await send("/get-session")).session.activeOrganizationId).toBe(made.id);
  const invited = await send("/organization/invite-member", {
    email: "dan@example.com",
    role: "member",
    organizationId: made.id,
  });
  expect(invited).toMatchObject({ status: "pending", email: "dan@example.com" });
});

/** The text that a TOTP URI spells in base32. */
function base32(text: string): string {
  const bits = [...text].map((letter) =>
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"),
  );
  const bytes = bits.join("").match(/.{8}/g) ?? [];
  return String.fromCharCode(...bytes.map((byte) => Number.parseInt(byte, 2)));
}
