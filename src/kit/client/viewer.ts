import { queryOptions, useQuery } from "@tanstack/react-query";
import { TRPCClientError } from "@trpc/client";
import { createAuthClient } from "better-auth/client";
import { anonymousClient } from "better-auth/client/plugins";

/** Who uses this browser, and has a session. */
export interface Viewer {
  /** The account's id, with which an operator makes the account an administrator. */
  id: string;
  name: string;
  /** `null` for a visitor without an account. */
  email: string | null;
  /** Whether to show the link to the dashboard. The server checks each of its calls. */
  isAdmin: boolean;
}

const queryKey = ["viewer"];

/**
 * Who is signed in; `null` for someone who has not done anything yet. The server's answer is in the page. The browser asks
 * again once per page load, which prolongs the session's cookie, and when the window is focused, because another tab may
 * have signed in or out.
 */
export const viewerQuery = queryOptions<Viewer | null>({
  queryKey,
  staleTime: 0,
  // `prefetchViewer` sets this time to 0.
  refetchOnMount: ({ state }) => state.dataUpdatedAt === 0,
  queryFn: async ({ client }): Promise<Viewer | null> => {
    const session = await authClient.getSession();
    if (!session) return null;
    const { id, name, email, isAnonymous } = session.user;
    // The session does not say it. The server has put it into the page.
    const known = client.getQueryData<Viewer | null>(queryKey);
    return { id, name, email: isAnonymous ? null : email, isAdmin: known?.id === id && known.isAdmin === true };
  },
});

export function useViewer(): Viewer | null {
  return useQuery(viewerQuery).data ?? null;
}

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

/**
 * Signs in and out, and changes accounts. Calls return their data. They throw an `AuthError` when the server refuses, and a
 * `TypeError` when it cannot be reached; `explainError` has words for both.
 *
 *     await authClient.changePassword({ currentPassword, newPassword, revokeOtherSessions: true });
 */
export const authClient = createAuthClient({
  plugins: [anonymousClient()],
  fetchOptions: {
    throw: true,
    onError({ error }) {
      throw new AuthError(error);
    },
  },
});

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

/** Says in one or two sentences what a person can do about a failed call of a server function. */
export function explainError(error: unknown): string {
  if (error instanceof AuthError) return error.message;
  // `fetch` rejects with this error when there is no answer.
  if (error instanceof TypeError) return unreachable;
  if (!(error instanceof TRPCClientError)) return "Something went wrong. Try again.";
  if (error.cause instanceof AuthError) return error.cause.message;
  if (!error.data) return unreachable;
  if (error.data.httpStatus >= 500) return "Something went wrong on the server. Try again.";
  return error.message;
}

/** How long the server asks to wait before a function is called again, in milliseconds; `null` if it does not. */
export function retryAfterOf(error: unknown): number | null {
  if (!(error instanceof TRPCClientError) || error.data?.httpStatus !== 429) return null;
  const { response } = error.meta ?? {};
  const seconds = response instanceof Response ? Number(response.headers.get("Retry-After")) : 0;
  return seconds > 0 ? 1000 * seconds : null;
}

const unreachable = "The server cannot be reached. Check your network, then try again.";

/**
 * Loads a page from the server, because everything on it may look different now. Never resolves, so that a form stays
 * disabled until the page is left.
 */
export function loadPage(path: string): Promise<never> {
  window.location.assign(path);
  return new Promise(() => undefined);
}
