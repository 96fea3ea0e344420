import { createAuthClient } from "better-auth/client";
import { anonymousClient } from "better-auth/client/plugins";

/** Signs in and out. Its answers are `{ data, error }`; whoever cannot be reached rejects. */
export const authClient = createAuthClient({ plugins: [anonymousClient()] });

/** Why somebody was not signed in. `message` is written for them. */
export class AuthError extends Error {
  constructor({ status, code = "", message = "" }: { status: number; code?: string; message?: string }) {
    // The messages of 429 say when to try again.
    const fallback = status < 500 && message ? `${message}.` : "Something went wrong on the server. Try again.";
    super(explanations.get(code) ?? fallback);
    this.name = "AuthError";
  }
}

/** By Better Auth's codes. */
const explanations = new Map([
  ["INVALID_EMAIL_OR_PASSWORD", "There is no account with this email address and password. Check both."],
  ["USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL", "There is an account with this email address already. Sign in instead."],
  ["INVALID_EMAIL", "This is not an email address."],
  ["PASSWORD_TOO_SHORT", "This password is too short. Use 8 characters or more."],
  ["PASSWORD_TOO_LONG", "This password is too long. Use at most 128 characters."],
]);
