import { prisma } from "../database/database";
import { env } from "../process/env";
import type { UserIdentity } from "./identity";
import { ownIssuer } from "./issuers";

/** Whether this is an administrator's account; asked of the database each time, so that it can be revoked at once. */
export async function isAdmin(identity: Pick<UserIdentity, "issuer" | "subject"> | null): Promise<boolean> {
  // Others' issuers may have subjects that look like ours.
  if (identity?.issuer !== ownIssuer) return false;
  const where = { id: identity.subject };
  const user = await prisma.user.findUnique({ where, select: { isAdmin: true, emailVerified: true } });
  // Where addresses are confirmed, an administrator's is.
  return Boolean(user?.isAdmin && (user.emailVerified || env.SMTP_URL === undefined));
}

/** The same for the `tokenIdentifier` of a user. */
export async function isAdministrators(tokenIdentifier: string | undefined): Promise<boolean> {
  const prefix = `${ownIssuer}|`;
  if (!tokenIdentifier?.startsWith(prefix)) return false;
  return isAdmin({ issuer: ownIssuer, subject: tokenIdentifier.slice(prefix.length) });
}
