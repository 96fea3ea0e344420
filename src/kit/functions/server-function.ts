import type { z } from "zod";
import type { ActionCtx, MutationCtx, QueryCtx } from "./context";

export interface Contexts {
  query: QueryCtx;
  mutation: MutationCtx;
  action: ActionCtx;
}

export type Kind = keyof Contexts;

export const definition = Symbol("definition");

/** The definition of a function, as its builder received it. */
export type Definition<K extends Kind, Args, Result> = {
  [Each in K]: {
    readonly kind: Each;
    readonly args: z.ZodObject;
    /** The zod type of the result, if the function names one. */
    readonly returns?: z.ZodType;
    /** Checks the arguments, runs the handler in this context and returns documents. */
    readonly handle: (ctx: Contexts[Each], args: Args | undefined) => Promise<Result>;
  };
}[K];

/** A function as its builder returns it, for `ctx.runQuery` and its siblings, and for the scheduler. */
export interface ServerFunction<K extends Kind, Args, Result> {
  readonly [definition]: Definition<K, Args, Result>;
}

/** A function of any kind, with unknown arguments and result. */
export type AnyFunction = ServerFunction<Kind, unknown, unknown>;

/** The arguments can be left out when all of them are optional. */
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

/** A function that can be scheduled. */
export type Schedulable<Args, Result = unknown> =
  | ServerFunction<"mutation", Args, Result>
  | ServerFunction<"action", Args, Result>;

/** The exports of one file of functions. */
export type Module = Record<string, unknown>;

const byName = new Map<string, AnyFunction>();
const names = new Map<unknown, string>();

/** Registers the functions of a file as `<file>.<export>`, for the scheduler and the function log. */
export function register(file: string, module: Module): void {
  for (const [name, exported] of Object.entries(module)) {
    if (!isFunction(exported)) continue;
    byName.set(`${file}.${name}`, exported);
    names.set(exported[definition], `${file}.${name}`);
  }
}

/** The function of that name, or `null`. */
export const functionNamed = (name: string): AnyFunction | null => byName.get(name) ?? null;

/** The name of a function, or `null` when no file that functions/index.ts lists exports it. */
export const nameOf = (fn: { [definition]: unknown }): string | null => names.get(fn[definition]) ?? null;

/** Whether clients can call a function. Functions that they can call are also tRPC procedures. */
export const isPublic = (fn: AnyFunction): boolean => "_def" in fn;

/** All functions by name. */
export const allFunctions = (): ReadonlyMap<string, AnyFunction> => byName;

function isFunction(exported: unknown): exported is AnyFunction {
  return (
    (typeof exported === "function" || typeof exported === "object") && exported !== null && definition in exported
  );
}
