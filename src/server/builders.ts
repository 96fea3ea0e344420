import { TRPCError, type TRPCMutationProcedure, type TRPCQueryProcedure } from "@trpc/server";
import { z } from "zod";
import { runAction, runMutation, runQuery } from "./context";
import { type Documents, toDocuments } from "./document";
import { type ArgsOf, type Contexts, definition, type Kind, type ServerFunction } from "./server-function";
import { t } from "./trpc";

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

type PublicFunction<K extends Kind, S extends Shape, Result> = Procedures<S, Result>[K] &
  ServerFunction<K, Input<S>, Documents<Result>>;

interface Builder<K extends Kind, Ctx> {
  <Result, Returns extends z.ZodType, S extends Shape = Record<never, never>>(
    config: Config<Ctx, S, Result> & Checked<Result, Returns>,
  ): PublicFunction<K, S, z.output<Returns>>;
  <Result, S extends Shape = Record<never, never>>(config: Config<Ctx, S, Result>): PublicFunction<K, S, Result>;
  /**
   * The same builder with more in its `ctx`, or one that refuses by throwing:
   *
   *     const teamMutation = mutation.use(async (ctx) => ({ team: await teamOf(ctx) }));
   */
  use<More extends object>(narrow: (ctx: Ctx) => More | Promise<More>): Builder<K, Ctx & More>;
}

/** A function that reads; in the browser a tRPC query. See QueryCtx for what it can do. */
export const query = builder("query", async (ctx: Contexts["query"]) => ctx);

/** A function that reads and writes, all or nothing; in the browser a tRPC mutation. See MutationCtx. */
export const mutation = builder("mutation", async (ctx: Contexts["mutation"]) => ctx);

/** A function that works on files and calls the outside; in the browser a tRPC mutation. See ActionCtx. */
export const action = builder("action", async (ctx: Contexts["action"]) => ctx);

function builder<K extends Kind, Ctx>(kind: K, extend: (ctx: Contexts[K]) => Promise<Ctx>): Builder<K, Ctx> {
  function build<Result, S extends Shape>({
    args,
    returns,
    handler,
  }: Config<Ctx, S, Result> & { returns?: z.ZodType }) {
    const parse = argumentParser(args ?? ({} as S));
    const handle = async (ctx: Contexts[K], given: unknown) => {
      const parsed = parse(given);
      const result = toDocuments(await handler(await extend(ctx), parsed));
      return returns ? returns.parse(result) : result;
    };
    const fn = { [definition]: { kind, handle } };
    // TypeScript cannot see that the kind that picks the procedure is the kind that picks its type.
    return Object.assign(toProcedure(fn as unknown as AnyFunction), fn) as unknown as PublicFunction<K, S, Result>;
  }
  return Object.assign(build, {
    use: <More extends object>(narrow: (ctx: Ctx) => More | Promise<More>) =>
      builder(kind, async (ctx: Contexts[K]) => {
        const base = await extend(ctx);
        return { ...base, ...(await narrow(base)) };
      }),
  });
}

type AnyFunction = { [K in Kind]: ServerFunction<K, unknown, unknown> }[Kind];

function toProcedure(fn: AnyFunction) {
  // The handler checks the arguments, so that calls from other functions are checked too.
  const procedure = t.procedure.input((args: unknown) => args);
  switch (fn[definition].kind) {
    case "query":
      return procedure.query(({ ctx, input }) => runQuery(ctx)(fn as ServerFunction<"query", unknown, unknown>, input));
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

/** Throws a `BAD_REQUEST` that names every wrong argument. */
function argumentParser<S extends Shape>(shape: S): (given: unknown) => Output<S> {
  const schema = z.object(shape);
  return (given) => {
    const { data, error } = schema.safeParse(given ?? {});
    if (!error) return data;
    const problems = error.issues.map(({ path, message }) => `${path.join(".") || "arguments"}: ${message}`);
    throw new TRPCError({ code: "BAD_REQUEST", message: problems.join("; "), cause: error });
  };
}
