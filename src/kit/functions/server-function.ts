import type { z } from "zod";
import type { Transaction } from "../database/transaction";
import type { RequestContext } from "./request-context";

export type Kind = "query" | "mutation" | "action";

export const definition = Symbol("definition");

/** A call of a function, by a client, another function, a job or the dashboard. */
export interface Call {
  context: RequestContext;
  /** The transaction of the calling function. */
  within?: Transaction;
  name: string;
}

/**
 * What a call does with the handler. Calling `handle` checks the arguments, runs the handler and returns documents. The
 * transaction is the mutation's or the query's.
 */
export type Around<Args, Result, Ran> = (
  handle: (args: Args | undefined) => Promise<Result>,
  transaction: Transaction,
) => Promise<Ran>;

/** The definition of a function, as its builder received it. */
interface Definition<K extends Kind, Args, Result> {
  readonly kind: K;
  readonly args: z.ZodObject;
  /** The zod type of the result, if the function names one. */
  readonly returns?: z.ZodType;
  /** Calls `around` within the transaction, the retries or the time limit of the kind. */
  readonly run: <Ran>(call: Call, around: Around<Args, Result, Ran>) => Promise<Ran>;
}

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
