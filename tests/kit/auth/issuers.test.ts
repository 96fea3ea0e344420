import { afterEach, expect, test, vi } from "vitest";
import { checkIssuerSettings } from "~/kit/auth/issuers";
import { env } from "~/kit/process/env";

afterEach(() => void vi.restoreAllMocks());

const issuer = "https://accounts.example.com";
test.each<[string, Partial<typeof env>, string | null]>([
  ["no issuer", {}, null],
  ["an issuer and its audience", { AUTH_ISSUER: issuer, AUTH_AUDIENCE: "app" }, null],
  ["an issuer whose tokens have no audience", { AUTH_ISSUER: issuer, AUTH_WITHOUT_AUDIENCE: "1" }, null],
  ["an issuer alone", { AUTH_ISSUER: issuer }, "AUTH_ISSUER needs AUTH_AUDIENCE"],
  ["an audience alone", { AUTH_AUDIENCE: "app" }, "AUTH_AUDIENCE has no effect"],
  ["keys alone", { AUTH_JWKS_URL: issuer }, "AUTH_JWKS_URL has no effect"],
  ["leave for any audience alone", { AUTH_WITHOUT_AUDIENCE: "1" }, "AUTH_WITHOUT_AUDIENCE has no effect"],
  [
    "an audience that is not looked at",
    { AUTH_ISSUER: issuer, AUTH_AUDIENCE: "a", AUTH_WITHOUT_AUDIENCE: "1" },
    "Remove one",
  ],
])("%s", (_, settings, refusal) => {
  for (const [name, value] of Object.entries(settings))
    vi.spyOn(env, name as "AUTH_ISSUER", "get").mockReturnValue(value as string);
  if (refusal === null) expect(checkIssuerSettings).not.toThrow();
  else expect(checkIssuerSettings).toThrow(refusal);
});
