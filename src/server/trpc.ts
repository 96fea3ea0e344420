import { initTRPC } from "@trpc/server";
import type { Caller } from "./caller";
import { asAnswer, DatabaseUnavailable } from "./database-unavailable";
import { transformer } from "./transformer";

const production = process.env.NODE_ENV === "production";

/** tRPC, with the caller as its context. */
export const t = initTRPC.context<Caller>().create({
  transformer,
  isDev: !production,
  errorFormatter({ shape, error, ctx }) {
    if (!production || error.code !== "INTERNAL_SERVER_ERROR") return shape;
    // An unexpected error may quote a query or a path: the caller gets what finds it in the log.
    return { ...shape, message: `The server failed; quote request ${ctx?.requestId ?? "id unknown"} to its operator` };
  },
});

/** What every procedure is made of: answers 503 when the database cannot be reached. */
export const procedure = t.procedure.use(async ({ next }) => {
  const result = await next();
  if (!result.ok && result.error.cause instanceof DatabaseUnavailable) throw asAnswer(result.error.cause);
  return result;
});
