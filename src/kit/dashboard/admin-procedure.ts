import { TRPCError } from "@trpc/server";
import { isAdmin } from "../auth/admin";
import { procedure } from "../functions/builders";
import { noting } from "../live/reads";

/** A procedure of the dashboard. Callers who are not administrators get the error of a procedure that does not exist. */
export const adminProcedure = procedure.use(async ({ ctx, path, next }) => {
  if (await isAdmin(await ctx.identity())) return next();
  // The same error as tRPC's own.
  throw new TRPCError({ code: "NOT_FOUND", message: `No procedure found on path "${path}"` });
});

/** A procedure with a live answer: it is refetched when one of these tables changes, and never when none is given. */
export const liveProcedure = (...tables: string[]) =>
  adminProcedure.use(({ ctx, path, next }) => {
    noting(ctx, path).noteReads?.(tables);
    return next();
  });

/** PostgreSQL's error codes for a foreign key that prevents a deletion. */
export const foreignKeyViolations = ["23001", "23503"];
