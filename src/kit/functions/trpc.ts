import { type TRPCDefaultErrorShape as DefaultErrorShape, initTRPC, type TRPCError } from "@trpc/server";
import { TRPC_ERROR_CODES_BY_KEY } from "@trpc/server/rpc";
import { asAnswer, DatabaseUnavailable } from "../database/database-unavailable";
import { shorten } from "../log/text";
import type { Caller } from "./caller";
import { decodeArguments } from "./decode";
import { transformer } from "./transformer";

const production = process.env.NODE_ENV === "production";

/** tRPC, with the caller as its context. */
export const t = initTRPC.context<Caller>().create({
  transformer: {
    input: { serialize: (args) => transformer.serialize(args), deserialize: decodeArguments },
    output: transformer,
  },
  isDev: !production,
  errorFormatter({ shape, error, ctx, path }) {
    if (isHidden(error, path)) return hidden(shape, path);
    // A message may quote what was sent.
    if (!production || error.code !== "INTERNAL_SERVER_ERROR") return { ...shape, message: shorten(shape.message) };
    // An unexpected error may quote a query or a path: the caller gets what finds it in the log.
    return { ...shape, message: `The server failed; quote request ${ctx?.requestId ?? "id unknown"} to its operator` };
  },
});

/** Whether an error would show that a procedure of the dashboard exists: tRPC looks at the method before it asks who calls. */
export const isHidden = ({ code }: TRPCError, path: string | undefined): boolean =>
  code === "METHOD_NOT_SUPPORTED" && path?.startsWith("dashboard.") === true;

/** The error as it is of a procedure that does not exist. */
function hidden(shape: DefaultErrorShape, path: string | undefined): DefaultErrorShape {
  const data = { ...shape.data, code: "NOT_FOUND", httpStatus: 404 } as const;
  return { ...shape, code: TRPC_ERROR_CODES_BY_KEY.NOT_FOUND, message: `No procedure found on path "${path}"`, data };
}

/** Of the calls of one request so many run at once, and a database that cannot be reached is answered with 503. */
const anyProcedure = t.procedure.use(async ({ ctx, next }) => {
  const result = await ctx.inTurn(() => next());
  if (!result.ok && result.error.cause instanceof DatabaseUnavailable) throw asAnswer(result.error.cause);
  return result;
});

/** What actions are made of: they may wait for others for minutes, and would keep those in turn waiting. */
export const actionProcedure = anyProcedure;

/** What all other procedures are made of: they take their turn, so that nobody is kept waiting by a flood of others' calls. */
export const procedure = anyProcedure.use(({ ctx, next }) => ctx.inFairTurn(() => next()));
