import {
  type TRPCDefaultErrorShape as DefaultErrorShape,
  initTRPC,
  type TRPCError,
  type TRPCMutationProcedure,
  type TRPCQueryProcedure,
} from "@trpc/server";
import { TRPC_ERROR_CODES_BY_KEY } from "@trpc/server/rpc";
import { z } from "zod";
import { asAnswer } from "../database/errors";
import { noting } from "../live/reads";
import { shorten } from "../log/text";
import { decodeArguments, parseArgs, refuseUnstorable } from "./args";
import { type Contexts, kinds, run } from "./context";
import { type Documents, toDocuments } from "./document";
import type { RequestContext } from "./request-context";
import {
  type AnyFunction,
  type ArgsOf,
  type Around,
  type Call,
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

/** Limits how many calls of one request run at once, and answers what the database refused: see `asAnswer`. */
const anyProcedure = t.procedure.use(async ({ ctx, next }) => {
  const result = await ctx.inTurn(() => next());
  // tRPC makes this of an error that is not its own.
  if (!result.ok && result.error.code === "INTERNAL_SERVER_ERROR") {
    const answer = asAnswer(result.error.cause);
    if (answer !== result.error.cause) throw answer;
  }
  return result;
});

/** The base of actions. Actions do not wait for a turn, because each may wait for another server for minutes. */
const actionProcedure = anyProcedure;

/** The base of all other procedures. They take turns, so that a flood of calls of one sender does not delay others. */
export const procedure = anyProcedure.use(({ ctx, next }) => ctx.inFairTurn(() => next()));

/** The arguments as a zod shape. Anything else stays as it is, so that only its own error is reported. */
type Input<Args> = Args extends z.ZodRawShape ? z.input<z.ZodObject<Args>> : z.input<Extract<Args, z.ZodType>>;
type Output<Args> = Args extends z.ZodRawShape ? z.output<z.ZodObject<Args>> : z.output<Extract<Args, z.ZodType>>;

/** What is wrong with `args`, as a sentence that TypeScript prints. */
type ArgsProblem<Args> = Args extends z.ZodType
  ? "`args` is a zod type. Pass its fields alone, for example args: { body: z.string() }."
  : Args extends object
    ? {
        [Name in keyof Args]: Args[Name] extends z.ZodType
          ? unknown
          : "This argument is not a zod type. Write for example z.string().";
      }
    : "`args` is no object. Write for example args: { body: z.string() }.";

/** What is wrong with `returns`. The result is unknown until TypeScript looks into the handler. */
type ReturnsProblem<Returns, Result> = Returns extends z.ZodType
  ? unknown extends Result
    ? unknown
    : Documents<Result> extends z.input<Returns>
      ? unknown
      : "The handler returns something else than `returns` describes. Rows arrive with _id and _creationTime."
  : "`returns` is not a zod type. Write for example z.object({ body: z.string() }).";

interface Config<Ctx, Args, Returns, Result> {
  /** The arguments as a zod shape, for example `{ body: z.string() }`. Default: none. */
  args?: Args & ArgsProblem<Args>;
  /** Checks the result as clients see it. Default: what the handler returns is sent. */
  returns?: Returns & ReturnsProblem<NoInfer<Returns>, NoInfer<Result>>;
  handler: (ctx: Ctx, args: Output<Args>) => Result | Promise<Result>;
}

/** The type that callers receive. */
type Answer<Returns, Result> = Returns extends z.ZodType ? z.output<Returns> : Documents<Result>;

/** The types that tRPC's clients send and receive. */
interface Wire<Args, Answer> {
  input: ArgsOf<Input<Args>>[0];
  output: Answer;
  meta: unknown;
}

interface Procedures<Args, Answer> {
  query: TRPCQueryProcedure<Wire<Args, Answer>>;
  mutation: TRPCMutationProcedure<Wire<Args, Answer>>;
  action: TRPCMutationProcedure<Wire<Args, Answer>>;
}

/** tRPC serves public functions; internal ones are for `ctx.run…` and the scheduler. */
type Visibility = "public" | "internal";

type Built<V extends Visibility, K extends Kind, Args, Answer> = ServerFunction<K, Input<Args>, Answer> &
  (V extends "public" ? Procedures<Args, Answer>[K] : unknown);

interface Builder<V extends Visibility, K extends Kind, Ctx> {
  // There is only one signature, because TypeScript reports of several only why the last one does not fit.
  <Result, Args = Record<never, never>, Returns = undefined>(
    config: Config<Ctx, Args, Returns, Result>,
  ): Built<V, K, Args, Answer<Returns, Result>>;
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
  function build<Result, Args, Returns>(config: Config<Ctx, Args, Returns, Result>) {
    const { shape, returns } = checked(kind, config);
    const args = z.object(shape);
    const handle = async (ctx: Contexts[K], given: unknown) => {
      const parsed = parseArgs(args, given);
      refuseUnstorable(parsed);
      const result = toDocuments(await config.handler(await extend(ctx), parsed as Output<Args>));
      return returns ? returns.parse(result) : result;
    };
    const runKind = <Ran>(call: Call, around: Around<unknown, unknown, Ran>) =>
      kinds[kind](call, (ctx, transaction) => around((given) => handle(ctx, given), transaction));
    const fn: AnyFunction = { [definition]: { kind, args, returns, run: runKind } };
    const served = visibility === "public" ? toProcedure(fn) : {};
    // TypeScript cannot see that the kind that picks the procedure is the kind that picks its type.
    return Object.assign(served, fn) as unknown as Built<V, K, Args, Answer<Returns, Result>>;
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
 * Refuses a wrong definition where it is written, as types do.
 * @throws TypeError when the file is imported
 */
function checked(kind: Kind, { args, returns, handler }: { args?: unknown; returns?: unknown; handler: unknown }) {
  const example = `${kind}({ args: { body: z.string() }, handler: (ctx, { body }) => … })`;
  if (typeof handler !== "function") throw new TypeError(`A function has no handler. Write ${example}`);
  if (args instanceof z.ZodType) throw new TypeError(`\`args\` is a zod type. Pass its fields alone. Write ${example}`);
  const shape: Record<string, z.ZodType> = {};
  for (const [name, type] of Object.entries(args ?? {})) {
    if (!(type instanceof z.ZodType)) throw new TypeError(`\`args.${name}\` is not a zod type. Write ${example}`);
    shape[name] = type;
  }
  if (returns === undefined || returns instanceof z.ZodType) return { shape, returns };
  throw new TypeError("`returns` is not a zod type. Write for example `returns: z.object({ id: z.string() })`");
}

function toProcedure(fn: AnyFunction) {
  const { kind } = fn[definition];
  // The handler checks the arguments, so that calls from other functions are checked too.
  const base = (kind === "action" ? actionProcedure : procedure).input((args: unknown) => args);
  return kind === "query"
    ? base.query(({ ctx, input, path }) => run(noting(ctx, path), fn, input))
    : base.mutation(({ ctx, input }) => run(ctx, fn, input));
}
