import { TRPCError } from "@trpc/server";
import type { UserIdentity } from "../auth/identity";
import { ownIssuer } from "../auth/issuers";
import { prisma } from "../database/database";
import { procedure } from "../functions/builders";
import { noting } from "../live/reads";
import { env } from "../process/env";

/** Whether this is an administrator's account; asked of the database each time, so that it can be revoked at once. */
export async function isAdmin(identity: UserIdentity | null): Promise<boolean> {
  // Others' issuers may have subjects that look like ours.
  if (identity?.issuer !== ownIssuer) return false;
  const where = { id: identity.subject };
  const user = await prisma.user.findUnique({ where, select: { isAdmin: true, emailVerified: true } });
  // Where addresses are confirmed, an administrator's is.
  return Boolean(user?.isAdmin && (user.emailVerified || env.SMTP_URL === undefined));
}

/** A procedure of the dashboard. For everybody but administrators it does not exist. */
export const adminProcedure = procedure.use(async ({ ctx, path, next }) => {
  if (await isAdmin(await ctx.identity())) return next();
  // As tRPC says it.
  throw new TRPCError({ code: "NOT_FOUND", message: `No procedure found on path "${path}"` });
});

/** One whose answer is live: it is asked for again when one of these tables changes; without any, it never is. */
export const liveProcedure = (...tables: string[]) =>
  adminProcedure.use(({ ctx, path, next }) => {
    noting(ctx, path).noteReads?.(tables);
    return next();
  });
