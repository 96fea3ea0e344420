import { randomUUID } from "node:crypto";
import { router } from "~/functions";
import { identityOf } from "~/server/auth/identity";
import { createSystemCaller } from "~/server/caller";
import { prisma } from "~/server/database";
import { t } from "~/server/trpc";

/** Makes an account, and calls the functions of the app as it. */
export async function account({ isAdmin }: { isAdmin: boolean }) {
  const id = randomUUID();
  const user = await prisma.user.create({
    data: { id, name: "Ada", email: `${id}@example.com`, updatedAt: new Date(), isAdmin },
  });
  const identity = identityOf(user);
  const caller = { ...createSystemCaller(), identity: async () => identity };
  return { user, identity, caller, api: t.createCallerFactory(router)(caller) };
}
