import type { TRPCMutationProcedure, TRPCQueryProcedure } from "@trpc/server";
import { z } from "zod";
import { noting } from "../live/reads";
import { parseArgs, refuseUnstorable } from "./args";
import { runAction, runMutation, runQuery } from "./context";
import { type Documents, toDocuments } from "./document";
import {
  type AnyFunction,
  type ArgsOf,
  type Contexts,
  definition,
  type Kind,
  type ServerFunction,
} from "./server-function";
import { actionProcedure, procedure as ordinaryProcedure } from "./trpc";

type Shape = z.ZodRawShape;
type Input<S extends Shape> = z.input<z.ZodObject<S>>;
type Output<S extends Shape> = z.output<z.ZodObject<S>>;

interface Config<Ctx, S extends Shape, Result> {
  /** The arguments as a zod shape, `{ body: z.string() }`; none by default. */
  args?: S;
  handler: (ctx: Ctx, args: Output<S>) => Result | Promise<Result>;
}

/** With a zod type that the result, as callers see it, is checked against. */
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

/** Public functions are served by tRPC; internal ones are for `ctx.run…` and the scheduler. */
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
   * The same builder with more in its `ctx`, or one that refuses by throwing:
   *
   *     const teamMutation = mutation.use(async (ctx) => ({ team: await teamOf(ctx) }));
   */
  use<More extends object>(narrow: (ctx: Ctx) => More | Promise<More>): Builder<V, K, Ctx & More>;
}

/**
 * A function that reads; in the browser a tRPC query. All that it reads, by however many calls, is of one moment: that of
 * its first call of `ctx.db`. See QueryCtx for what it can do.
 */
export const query = builder("public", "query", async (ctx: Contexts["query"]) => ctx);

/** A function that reads and writes, all or nothing; in the browser a tRPC mutation. See MutationCtx. */
export const mutation = builder("public", "mutation", async (ctx: Contexts["mutation"]) => ctx);

/** A function that works on files and calls the outside; in the browser a tRPC mutation. See ActionCtx. */
export const action = builder("public", "action", async (ctx: Contexts["action"]) => ctx);

/** A query that only functions can run; for the outside it does not exist. */
export const internalQuery = builder("internal", "query", async (ctx: Contexts["query"]) => ctx);

/** A mutation that only functions and the scheduler can run; for the outside it does not exist. */
export const internalMutation = builder("internal", "mutation", async (ctx: Contexts["mutation"]) => ctx);

/** An action that only functions and the scheduler can run; for the outside it does not exist. */
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
    const fn = { [definition]: { kind, args, handle } };
    // What the kind and the shape are is known to whoever called the builder, no longer to what it is kept as.
    const procedure = visibility === "public" ? toProcedure(fn as unknown as AnyFunction) : {};
    // TypeScript cannot see that the kind that picks the procedure is the kind that picks its type.
    return Object.assign(procedure, fn) as unknown as Built<V, K, S, Result>;
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
 * Says what is wrong with a function where it is defined: types say it too, in more words.
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
  // The handler checks the arguments, so that calls from other functions are checked too.
  const { kind } = fn[definition];
  const procedure = (kind === "action" ? actionProcedure : ordinaryProcedure).input((args: unknown) => args);
  switch (kind) {
    case "query":
      return procedure.query(({ ctx, input, path }) =>
        runQuery(noting(ctx, path))(fn as ServerFunction<"query", unknown, unknown>, input),
      );
    case "mutation":
      return procedure.mutation(({ ctx, input }) =>
        runMutation(ctx)(fn as ServerFunction<"mutation", unknown, unknown>, input),
      );
    case "action":
      return procedure.mutation(({ ctx, input }) =>
        runAction(ctx)(fn as ServerFunction<"action", unknown, unknown>, input),
      );
  }
}
