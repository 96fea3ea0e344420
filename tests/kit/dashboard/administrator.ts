import { randomUUID } from "node:crypto";
import { app } from "~/functions";
import { identityOf } from "~/kit/auth/identity";
import { prisma } from "~/kit/database/database";
import { t } from "~/kit/functions/builders";
import { createSystemContext } from "~/kit/functions/request-context";

const { router } = app;

/** Makes an account, and calls the functions of the app as it. */
export async function account({ isAdmin }: { isAdmin: boolean }) {
  const id = randomUUID();
  const user = await prisma.user.create({
    data: { id, name: "Ada", email: `${id}@example.com`, updatedAt: new Date(), isAdmin },
  });
  const identity = identityOf(user);
  const caller = { ...createSystemContext(), identity: async () => identity };
  return { user, identity, caller, api: t.createCallerFactory(router)(caller) };
}
