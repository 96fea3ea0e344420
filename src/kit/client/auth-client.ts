import type { createAuthClient } from "better-auth/client";
import type { anonymousClient } from "better-auth/client/plugins";

/** The reason why a person was not signed in. `message` is written for that person, and `code` is Better Auth's. */
export class AuthError extends Error {
  readonly code: string;

  constructor({ status, code = "", message = "" }: { status: number; code?: string; message?: string }) {
    // The messages of 429 say when to try again.
    const fallback = status < 500 && message ? `${message}.` : "Something went wrong on the server. Try again.";
    super(explanations.get(code) ?? fallback);
    this.name = "AuthError";
    this.code = code;
  }
}

type BetterAuthClient = ReturnType<
  typeof createAuthClient<{ plugins: [ReturnType<typeof anonymousClient>]; fetchOptions: { throw: true } }>
>;
/** The store of the session, and what only types need. `useViewer` knows the session here. */
type Unused = "$ERROR_CODES" | "$Infer" | "$store" | "hydrateSession" | "useSession";

// The cast: a proxy has no types of its own. tests/kit/auth/auth-client.test.ts calls the real server through it.

/**
 * Signs in and out, and changes accounts. Calls return their data. They throw an `AuthError` when the server refuses, and a
 * `TypeError` when it cannot be reached; `explainError` has words for both.
 *
 * It has the functions and the types of Better Auth's own client, without that client's own store of the session. The
 * options of a call are those of `fetch`, and `query`. Plugins need a client of their own; the recipes show it.
 *
 *     await authClient.changePassword({ currentPassword, newPassword, revokeOtherSessions: true });
 */
export const authClient = clientAt([]) as unknown as Omit<BetterAuthClient, Unused>;

/** Routes that change something without arguments. */
const posted = new Set([
  "/sign-out",
  "/sign-in/anonymous",
  "/delete-anonymous-user",
  "/delete-user",
  "/revoke-sessions",
  "/revoke-other-sessions",
]);

/** `signIn.email(body)` calls `/sign-in/email`, as every function of Better Auth's client calls the route of its name. */
function clientAt(path: readonly string[]): unknown {
  return new Proxy(() => undefined, {
    get(_target, name) {
      // A promise that resolves with the client would call it.
      if (typeof name !== "string" || name === "then") return undefined;
      return name === "$fetch" ? call : clientAt([...path, name]);
    },
    apply(_target, _this, [input = {}, options = {}]: [CallInput?, CallOptions?]) {
      const { query, fetchOptions, ...body } = input;
      const route = `/${path.join("/").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
      const method = posted.has(route) || Object.keys(body).length > 0 ? "POST" : "GET";
      return call(route, { query, method, ...(method === "POST" && { body }), ...options, ...fetchOptions });
    },
  });
}

type CallOptions = Omit<RequestInit, "body"> & { body?: object; query?: Record<string, string | undefined> };
type CallInput = Record<string, unknown> & Pick<CallOptions, "query"> & { fetchOptions?: CallOptions };

async function call(route: string, { query, body, headers, ...options }: CallOptions = {}): Promise<unknown> {
  const asked = Object.entries(query ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const response = await fetch(`/api/auth${route}${asked.length > 0 ? `?${new URLSearchParams(asked)}` : ""}`, {
    ...options,
    headers: { ...(body && { "Content-Type": "application/json" }), ...Object.fromEntries(new Headers(headers)) },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new AuthError({ ...problemOf(text), status: response.status });
  const data = text === "" ? null : JSON.parse(text, withDate);
  // The page of a provider, where the person signs in.
  if (data?.redirect && typeof data.url === "string" && /^https?:/.test(data.url)) window.location.href = data.url;
  return data;
}

/** A server in front of the app may answer with a page. */
function problemOf(text: string): { code?: string; message?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const withDate = (_key: string, value: unknown) =>
  typeof value === "string" && isoTime.test(value) ? new Date(value) : value;

/** Explanations by the codes of Better Auth. */
const explanations = new Map([
  ["INVALID_EMAIL_OR_PASSWORD", "There is no account with this email address and password. Check both."],
  ["USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL", "There is an account with this email address already. Sign in instead."],
  ["INVALID_PASSWORD", "This is not your password."],
  ["INVALID_TOKEN", "This link does not work any more. Ask for another one."],
  ["TOKEN_EXPIRED", "This link is too old. Ask for another one."],
  ["SESSION_NOT_FRESH", "Sign out and in again, so that it is surely you. Then try again."],
  [
    "account_not_linked",
    "There is an account with this email address already. Sign in to it, then link the provider on its page.",
  ],
  ["email_does_not_match", "That account has another email address. Change the address here first."],
  ["email_not_verified", "The provider does not know that the email address is yours. Confirm it there first."],
  ["unable_to_link_account", "You were signed out meanwhile. Sign in, and link again."],
  ["account_already_linked_to_different_user", "That account belongs to another account here."],
  ["access_denied", "The provider did not let you in."],
  ["INVALID_EMAIL", "This is not an email address."],
  ["PASSWORD_TOO_SHORT", "This password is too short. Use 8 characters or more."],
  ["PASSWORD_TOO_LONG", "This password is too long. Use at most 128 characters."],
]);
