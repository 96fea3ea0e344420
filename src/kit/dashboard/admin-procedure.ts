import { TRPCError } from "@trpc/server";
import { isAdmin } from "../auth/admin";
import { procedure } from "../functions/builders";
import { noting } from "../live/reads";

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

/** What restricts a deletion. */
export const foreignKeyViolations = ["23001", "23503"];
