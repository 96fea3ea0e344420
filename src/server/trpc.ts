import { initTRPC } from "@trpc/server";
import type { Caller } from "./caller";
import { asAnswer, DatabaseUnavailable } from "./database-unavailable";
import { decodeArguments } from "./decode";
import { shorten } from "./quote";
import { transformer } from "./transformer";

const production = process.env.NODE_ENV === "production";

/** tRPC, with the caller as its context. */
export const t = initTRPC.context<Caller>().create({
  transformer: {
    input: { serialize: (args) => transformer.serialize(args), deserialize: decodeArguments },
    output: transformer,
  },
  isDev: !production,
  errorFormatter({ shape, error, ctx }) {
    // A message may quote what was sent.
    if (!production || error.code !== "INTERNAL_SERVER_ERROR") return { ...shape, message: shorten(shape.message) };
    // An unexpected error may quote a query or a path: the caller gets what finds it in the log.
    return { ...shape, message: `The server failed; quote request ${ctx?.requestId ?? "id unknown"} to its operator` };
  },
});

/**
 * What every procedure is made of: of the calls of one request so many run at once, and a database that cannot be reached
 * is answered with 503.
 */
export const procedure = t.procedure.use(async ({ ctx, next }) => {
  const result = await ctx.inTurn(() => next());
  if (!result.ok && result.error.cause instanceof DatabaseUnavailable) throw asAnswer(result.error.cause);
  return result;
});
