import type { z } from "zod";
import type { ActionCtx, MutationCtx, QueryCtx } from "./context";

export interface Contexts {
  query: QueryCtx;
  mutation: MutationCtx;
  action: ActionCtx;
}

export type Kind = keyof Contexts;

export const definition = Symbol("definition");

/** A function as its builder makes it; `ctx.runQuery` and its like take one. */
export interface ServerFunction<K extends Kind, Args, Result> {
  readonly [definition]: {
    readonly kind: K;
    readonly args: z.ZodObject;
    /** Checks the arguments, runs the handler in this context and returns documents. */
    readonly handle: (ctx: Contexts[K], args: Args | undefined) => Promise<Result>;
  };
}

/** A function of any kind, arguments and result unknown. */
export type AnyFunction = { [K in Kind]: ServerFunction<K, unknown, unknown> }[Kind];

/** No arguments at all where every one of them is optional. */
export type ArgsOf<Args> = Record<never, never> extends Args ? [args?: Args] : [args: Args];

export type RunQuery = <Args, Result>(
  fn: ServerFunction<"query", Args, Result>,
  ...args: ArgsOf<Args>
) => Promise<Result>;

export type RunMutation = <Args, Result>(
  fn: ServerFunction<"mutation", Args, Result>,
  ...args: ArgsOf<Args>
) => Promise<Result>;

export type RunAction = <Args, Result>(
  fn: ServerFunction<"action", Args, Result>,
  ...args: ArgsOf<Args>
) => Promise<Result>;

/** What can be scheduled. */
export type Schedulable<Args> = ServerFunction<"mutation", Args, unknown> | ServerFunction<"action", Args, unknown>;
