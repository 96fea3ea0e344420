import { z } from "zod";
import { internalAction } from "~/kit";
import type { AccountEmail } from "~/kit/server";

/**
 * Sends a mail. Schedule it from the mutation that decides about it, so that it is sent when the mutation commits:
 *
 *     const retry = { maxAttempts: 6, initialBackoffMs: 10_000, base: 6 };
 *     await ctx.scheduler.runAfter(0, sendEmail, { to, subject: "Welcome", text: "…" }, { retry });
 */
export const sendEmail = internalAction({
  args: { to: z.email(), subject: z.string(), text: z.string() },
  handler: async (_ctx, { to, subject, text }) => {
    const { SMTP_URL, EMAIL_FROM, NODE_ENV } = process.env;
    if (!SMTP_URL && NODE_ENV === "production") throw new Error("Set SMTP_URL and EMAIL_FROM to send mail.");
    if (!SMTP_URL) return console.info(`Without SMTP_URL mail is printed. To ${to}: ${subject}\n\n${text}`);
    const { createTransport } = await import("nodemailer");
    const { username } = new URL(SMTP_URL);
    // A password is never sent unencrypted.
    const transport = createTransport({ url: SMTP_URL, requireTLS: username !== "", connectionTimeout: 10_000 });
    await transport.sendMail({ from: EMAIL_FROM, to, subject, text });
  },
});

/** Writes the mails about accounts. Change their texts as you like. */
export function accountEmail({ about, url, newEmail }: AccountEmail): { subject: string; text: string } {
  switch (about) {
    case "confirm":
      return {
        subject: "Confirm your email address",
        text: `Open this link to confirm that this address is yours:\n\n${url}\n\nThe link works for a day. If you did not ask for it, ignore this mail.`,
      };
    case "taken":
      return {
        subject: "You have an account already",
        text: `Somebody, perhaps you, tried to use this address for another account, but it has one. Sign in to it, or choose a new password there:\n\n${url}\n\nIf it was not you, ignore this mail: nothing has changed.`,
      };
    case "reset":
      return {
        subject: "Choose a new password",
        text: `Open this link to choose a new password:\n\n${url}\n\nThe link works for an hour. If you did not ask for it, ignore this mail: your password stays as it is.`,
      };
    case "change":
      return {
        subject: "Change the address of your account",
        text: `Open this link if your account should get the address ${newEmail}:\n\n${url}\n\nThe link works for a day. If you did not ask for it, somebody else is signed in to your account: change your password.`,
      };
  }
}
