import { alone } from "../database/transaction";
import { createSystemContext } from "../functions/request-context";
import type { Schedulable } from "../functions/server-function";
import { scheduler } from "../jobs/scheduler";
import { env } from "../process/env";

/** A mail about an account. It contains no text that the user wrote, because anyone can have it sent to any address. */
export interface AccountEmail {
  /**
   * - `confirm`: prove that the address is yours.
   * - `taken`: someone tried to give an account, new or not, an address that has one.
   * - `reset`: choose a new password.
   * - `change`: agree that the account gets another address.
   */
  about: "confirm" | "taken" | "reset" | "change";
  /** The URL that the mail links to. */
  url: string;
  /** The new address of the account. */
  newEmail?: string;
}

/** How mail about accounts is sent: `email` of `kit.app`. */
export interface AccountEmails {
  /** Sends a mail. It runs as a job. */
  send: Schedulable<{ to: string; subject: string; text: string }>;
  /** Writes a mail. */
  write: (email: AccountEmail) => { subject: string; text: string };
}

export type SendAccountEmail = (to: string, email: AccountEmail) => Promise<void>;

/**
 * Returns the function that sends mail about accounts, or `undefined` when no mail is sent. In development without settings,
 * mail is printed.
 */
export function accountEmailSender(emails: AccountEmails | undefined): SendAccountEmail | undefined {
  if (!emails || !(env.SMTP_URL || process.env.NODE_ENV === "development")) return undefined;
  const { runAfter } = scheduler(createSystemContext(), alone);
  return async (to, email) => void (await runAfter(0, emails.send, { to, ...emails.write(email) }, { retry }));
}

/** Retries for about four hours, in which a mail server may come back. */
const retry = { maxAttempts: 6, initialBackoffMs: 10_000, base: 6 };
