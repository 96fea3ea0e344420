import { z } from "zod";
import { internalAction } from "~/kit";
import type { AccountEmail } from "~/kit/server";

/** The mails that were sent. */
export const sent: { to: string; subject: string; text: string }[] = [];

export const sendEmail = internalAction({
  args: { to: z.email(), subject: z.string(), text: z.string() },
  handler: (_ctx, mail) => void sent.push(mail),
});

export const accountEmail = ({ about, url }: AccountEmail) => ({ subject: about, text: url });
