import { prisma } from "../database/database";
import { env } from "../process/env";
import type { UserIdentity } from "./identity";
import { ownIssuer } from "./issuers";

/**
 * Whether this is an administrator's account. Asks the database each time, so that taking the role away has an effect at
 * once.
 */
export async function isAdmin(identity: Pick<UserIdentity, "issuer" | "subject"> | null): Promise<boolean> {
  // Subjects of other issuers may equal an id of this app.
  if (identity?.issuer !== ownIssuer) return false;
  const where = { id: identity.subject };
  const user = await prisma.user.findUnique({ where, select: { isAdmin: true, emailVerified: true } });
  // When the app sends mail, an administrator must have confirmed the address.
  return Boolean(user?.isAdmin && (user.emailVerified || env.SMTP_URL === undefined));
}

/** Like `isAdmin`, for the `tokenIdentifier` of a user. */
export async function isAdministrators(tokenIdentifier: string | undefined): Promise<boolean> {
  const prefix = `${ownIssuer}|`;
  if (!tokenIdentifier?.startsWith(prefix)) return false;
  return isAdmin({ issuer: ownIssuer, subject: tokenIdentifier.slice(prefix.length) });
}
