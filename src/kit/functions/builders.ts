import {
  type TRPCDefaultErrorShape as DefaultErrorShape,
  initTRPC,
  type TRPCError,
  type TRPCMutationProcedure,
  type TRPCQueryProcedure,
} from "@trpc/server";
import { TRPC_ERROR_CODES_BY_KEY } from "@trpc/server/rpc";
import { z } from "zod";
import { asAnswer, DatabaseUnavailable } from "../database/errors";
import { noting } from "../live/reads";
import { shorten } from "../log/text";
import { decodeArguments, parseArgs, refuseUnstorable } from "./args";
import { run } from "./context";
import { type Documents, toDocuments } from "./document";
import type { RequestContext } from "./request-context";
import {
  type AnyFunction,
  type ArgsOf,
  type Contexts,
  definition,
  type Kind,
  type ServerFunction,
} from "./server-function";
import { transformer } from "./transformer";

const production = process.env.NODE_ENV === "production";

/** tRPC, with the request context as its context. */
export const t = initTRPC.context<RequestContext>().create({
  transformer: {
    input: { serialize: (args) => transformer.serialize(args), deserialize: decodeArguments },
    output: transformer,
  },
  isDev: !production,
  errorFormatter({ shape, error, ctx, path }) {
    if (isHidden(error, path)) return hidden(shape, path);
    // A message may quote its input.
    if (!production || error.code !== "INTERNAL_SERVER_ERROR") return { ...shape, message: shorten(shape.message) };
    // An unexpected error may quote a query or a path. The client gets only the id that finds it in the log.
    return { ...shape, message: `The server failed; quote request ${ctx?.requestId ?? "id unknown"} to its operator` };
  },
});

/** Whether an error would reveal a procedure of the dashboard: tRPC checks the method before it checks the identity. */
export const isHidden = ({ code }: TRPCError, path: string | undefined): boolean =>
  code === "METHOD_NOT_SUPPORTED" && path?.startsWith("dashboard.") === true;

/** The error of a procedure that does not exist. */
function hidden(shape: DefaultErrorShape, path: string | undefined): DefaultErrorShape {
  const data = { ...shape.data, code: "NOT_FOUND", httpStatus: 404 } as const;
  return { ...shape, code: TRPC_ERROR_CODES_BY_KEY.NOT_FOUND, message: `No procedure found on path "${path}"`, data };
}

/** Limits how many calls of one request run at once, and answers 503 when the database cannot be reached. */
const anyProcedure = t.procedure.use(async ({ ctx, next }) => {
  const result = await ctx.inTurn(() => next());
  if (!result.ok && result.error.cause instanceof DatabaseUnavailable) throw asAnswer(result.error.cause);
  return result;
});

/** The base of actions. They take no turns, because an action may wait for another server for minutes. */
export const actionProcedure = anyProcedure;

/** The base of all other procedures. They take turns, so that a flood of calls of one sender does not delay others. */
export const procedure = anyProcedure.use(({ ctx, next }) => ctx.inFairTurn(() => next()));

type Shape = z.ZodRawShape;
type Input<S extends Shape> = z.input<z.ZodObject<S>>;
type Output<S extends Shape> = z.output<z.ZodObject<S>>;

interface Config<Ctx, S extends Shape, Result> {
  /** The arguments as a zod shape, for example `{ body: z.string() }`. Default: none. */
  args?: S;
  handler: (ctx: Ctx, args: Output<S>) => Result | Promise<Result>;
}

/** A configuration with a zod type that checks the result, as clients see it. */
type Checked<Result, Returns extends z.ZodType> = {
  returns: Returns & (Documents<Result> extends z.input<Returns> ? unknown : "the handler returns something else");
};

/** What tRPC's clients send and receive. */
interface Wire<S extends Shape, Result> {
  input: ArgsOf<Input<S>>[0];
  output: Documents<Result>;
  meta: unknown;
}

interface Procedures<S extends Shape, Result> {
  query: TRPCQueryProcedure<Wire<S, Result>>;
  mutation: TRPCMutationProcedure<Wire<S, Result>>;
  action: TRPCMutationProcedure<Wire<S, Result>>;
}

/** tRPC serves public functions; internal ones are for `ctx.run…` and the scheduler. */
type Visibility = "public" | "internal";

type Built<V extends Visibility, K extends Kind, S extends Shape, Result> = ServerFunction<
  K,
  Input<S>,
  Documents<Result>
> &
  (V extends "public" ? Procedures<S, Result>[K] : unknown);

interface Builder<V extends Visibility, K extends Kind, Ctx> {
  <Result, Returns extends z.ZodType, S extends Shape = Record<never, never>>(
    config: Config<Ctx, S, Result> & Checked<Result, Returns>,
  ): Built<V, K, S, z.output<Returns>>;
  <Result, S extends Shape = Record<never, never>>(config: Config<Ctx, S, Result>): Built<V, K, S, Result>;
  /**
   * Returns the same builder with more in its `ctx`. It can refuse a call by throwing:
   *
   *     const teamMutation = mutation.use(async (ctx) => ({ team: await teamOf(ctx) }));
   */
  use<More extends object>(narrow: (ctx: Ctx) => More | Promise<More>): Builder<V, K, Ctx & More>;
}

/**
 * Makes a function that reads. It is a tRPC query in the browser. Everything it reads is of one moment, that of its first call
 * of `ctx.db`. See QueryCtx for what it can do.
 */
export const query = builder("public", "query", async (ctx: Contexts["query"]) => ctx);

/** Makes a function that reads and writes, all or nothing. It is a tRPC mutation in the browser. See MutationCtx. */
export const mutation = builder("public", "mutation", async (ctx: Contexts["mutation"]) => ctx);

/** Makes a function that reads files and calls other services. It is a tRPC mutation in the browser. See ActionCtx. */
export const action = builder("public", "action", async (ctx: Contexts["action"]) => ctx);

/** A query that only functions can run. Clients cannot call it. */
export const internalQuery = builder("internal", "query", async (ctx: Contexts["query"]) => ctx);

/** A mutation that only functions and the scheduler can run. Clients cannot call it. */
export const internalMutation = builder("internal", "mutation", async (ctx: Contexts["mutation"]) => ctx);

/** An action that only functions and the scheduler can run. Clients cannot call it. */
export const internalAction = builder("internal", "action", async (ctx: Contexts["action"]) => ctx);

function builder<V extends Visibility, K extends Kind, Ctx>(
  visibility: V,
  kind: K,
  extend: (ctx: Contexts[K]) => Promise<Ctx>,
): Builder<V, K, Ctx> {
  function build<Result, S extends Shape>(config: Config<Ctx, S, Result> & { returns?: z.ZodType }) {
    refuseWrongConfig(kind, config);
    const { returns, handler } = config;
    const args = z.object(config.args ?? ({} as S));
    const handle = async (ctx: Contexts[K], given: unknown) => {
      const parsed = parseArgs(args, given);
      refuseUnstorable(parsed);
      const result = toDocuments(await handler(await extend(ctx), parsed));
      return returns ? returns.parse(result) : result;
    };
    const fn = { [definition]: { kind, args, returns, handle } };
    // The builder's caller knows the kind and the shape. AnyFunction does not keep them.
    const served = visibility === "public" ? toProcedure(fn as unknown as AnyFunction) : {};
    // TypeScript cannot see that the kind that picks the procedure is the kind that picks its type.
    return Object.assign(served, fn) as unknown as Built<V, K, S, Result>;
  }
  return Object.assign(build, {
    use: <More extends object>(narrow: (ctx: Ctx) => More | Promise<More>) =>
      builder(visibility, kind, async (ctx: Contexts[K]) => {
        const base = await extend(ctx);
        return { ...base, ...(await narrow(base)) };
      }),
  });
}

/**
 * Refuses a wrong definition where it is written. Types refuse it too, with longer messages.
 * @throws TypeError when the file is imported
 */
function refuseWrongConfig(
  kind: Kind,
  { args, returns, handler }: { args?: unknown; returns?: unknown; handler: unknown },
) {
  const example = `${kind}({ args: { body: z.string() }, handler: (ctx, { body }) => … })`;
  if (typeof handler !== "function") throw new TypeError(`A function has no handler. Write ${example}`);
  if (args instanceof z.ZodType)
    throw new TypeError(`\`args\` is a zod type, and should be its shape alone. Write ${example}`);
  for (const [name, type] of Object.entries(args ?? {})) {
    if (!(type instanceof z.ZodType)) throw new TypeError(`\`args.${name}\` is no zod type. Write ${example}`);
  }
  if (returns !== undefined && !(returns instanceof z.ZodType)) {
    throw new TypeError("`returns` is no zod type. Write for example `returns: z.object({ id: z.string() })`");
  }
}

function toProcedure(fn: AnyFunction) {
  const { kind } = fn[definition];
  // The handler checks the arguments, so that calls from other functions are checked too.
  const base = (kind === "action" ? actionProcedure : procedure).input((args: unknown) => args);
  return kind === "query"
    ? base.query(({ ctx, input, path }) => run(noting(ctx, path), fn, input))
    : base.mutation(({ ctx, input }) => run(ctx, fn, input));
}
