import { TRPCError } from "@trpc/server";
import type { Auth } from "../auth/identity";
import { type ReadDb, readDb, type WriteDb, writeDb } from "../database/db";
import { alone, retryOnConflict, snapshot, type Transaction, transaction } from "../database/transaction";
import { type Scheduler, scheduler } from "../jobs/scheduler";
import { observe } from "../log/observe";
import { env } from "../process/env";
import {
  type StorageActionWriter,
  type StorageReader,
  type StorageWriter,
  storageActionWriter,
  storageReader,
  storageWriter,
} from "../storage/storage";
import { deeper, type RequestContext } from "./request-context";
import {
  type Around,
  type Call,
  definition,
  type Kind,
  nameOf,
  type RunAction,
  type RunMutation,
  type RunQuery,
  type ServerFunction,
} from "./server-function";

/** What a query can do: read. Everything it reads is of one moment, that of its first statement. */
export interface QueryCtx {
  db: ReadDb;
  storage: StorageReader;
  auth: Auth;
  /** Runs another query. */
  runQuery: RunQuery;
}

/** What a mutation can do: read and write in one serializable transaction, which is undone when it throws. */
export interface MutationCtx {
  db: WriteDb;
  storage: StorageWriter;
  auth: Auth;
  scheduler: Scheduler;
  /**
   * Counts a call against a rate limit, once, even when the mutation runs again after a conflict. Throws `TOO_MANY_REQUESTS`
   * after too many. The call counts also when the mutation is undone. The limit is one of the kit's, by its name, or one of
   * yours:
   *
   *     await ctx.limitRate({ name: "invitations", rate: 20, per: 3_600_000, key: teamId });
   */
  limitRate: RequestContext["limitRate"];
  /** Runs a query inside the transaction: it sees what the mutation wrote. */
  runQuery: RunQuery;
  /** Runs another mutation inside the transaction. When it throws, only its own writes are undone. */
  runMutation: RunMutation;
}

/** What an action can do: anything, but it uses the database only through queries and mutations. */
export interface ActionCtx {
  storage: StorageActionWriter;
  auth: Auth;
  scheduler: Scheduler;
  /**
   * Aborted when the action has taken longer than `ACTION_TIMEOUT` (default: 10 minutes), when its client went away, or when
   * the server stops. Pass it to whatever may take long: `fetch(url, { signal: ctx.signal })`.
   */
  signal: AbortSignal;
  /** Counts a call against a rate limit. Throws `TOO_MANY_REQUESTS` after too many. See `MutationCtx`. */
  limitRate: RequestContext["limitRate"];
  runQuery: RunQuery;
  /** Runs a mutation in a transaction of its own. */
  runMutation: RunMutation;
  runAction: RunAction;
}

export interface Contexts {
  query: QueryCtx;
  mutation: MutationCtx;
  action: ActionCtx;
}

function queryCtx(context: RequestContext, within: Transaction): QueryCtx {
  const db = readDb(within, context.noteReads);
  return {
    db,
    storage: storageReader(context, db),
    auth: { getUserIdentity: context.identity },
    runQuery: (fn, ...[args]) => run(context, fn, args, { within }),
  };
}

function mutationCtx(context: RequestContext, within: Transaction): MutationCtx {
  const db = writeDb(within);
  return {
    db,
    storage: storageWriter(context, db, within),
    auth: { getUserIdentity: context.identity },
    scheduler: scheduler(context, within),
    limitRate: context.limitRate,
    runQuery: (fn, ...[args]) => run(context, fn, args, { within }),
    runMutation: (fn, ...[args]) => run(context, fn, args, { within }),
  };
}

export function actionCtx(context: RequestContext): ActionCtx {
  return {
    storage: storageActionWriter(context, readDb(alone), alone),
    auth: { getUserIdentity: context.identity },
    scheduler: scheduler(context, alone),
    signal: context.signal ?? new AbortController().signal,
    limitRate: context.limitRate,
    runQuery: (fn, ...[args]) => run(context, fn, args),
    runMutation: (fn, ...[args]) => run(context, fn, args),
    runAction: (fn, ...[args]) => run(context, fn, args),
  };
}

interface RunOptions<Ran> extends Partial<Pick<Call, "within" | "name">> {
  outcomeOf?: (ran: Ran) => string | null;
}

/** Runs a function. */
export const run = <Args, Result>(
  context: RequestContext,
  fn: ServerFunction<Kind, Args, Result>,
  args: Args | undefined,
  options?: RunOptions<Result>,
): Promise<Result> => runAround(context, fn, (handle) => handle(args), options);

/**
 * Runs a function and what belongs around its handler. Every call takes these steps, whether a client, another function, a
 * job or the dashboard makes it:
 *
 * 1. `observe` records the call in the function log, and as a span of the trace.
 * 2. `deeper` limits how deep functions are nested.
 * 3. The kind adds its time limit, retries or transaction: see `kinds`.
 * 4. The handler runs, after a check of its arguments.
 */
export function runAround<Args, Result, Ran>(
  context: RequestContext,
  fn: ServerFunction<Kind, Args, Result>,
  around: Around<Args, Result, Ran>,
  { within, name = nameOf(fn) ?? "(unnamed)", outcomeOf }: RunOptions<Ran> = {},
): Promise<Ran> {
  const { kind, run } = fn[definition];
  return observe(
    { requestId: context.requestId, name, kind },
    () => run({ context: deeper(context), within, name }, around),
    outcomeOf,
  );
}

type RunKind<K extends Kind> = <Ran>(
  call: Call,
  handle: (ctx: Contexts[K], transaction: Transaction) => Promise<Ran>,
) => Promise<Ran>;

/** How functions of each kind run. */
export const kinds: { [K in Kind]: RunKind<K> } = {
  /** A query reads one snapshot: that of the function that calls it, or its own. */
  query: ({ context, within }, handle) => {
    const inTransaction = (current: Transaction) => handle(queryCtx(context, current), current);
    return within ? inTransaction(within) : snapshot(inTransaction);
  },

  /** A mutation runs in a savepoint of the mutation that calls it, or in its own transaction, again after each conflict. */
  mutation: ({ context, within, name }, handle) => {
    if (within) return within.nest((savepoint) => handle(mutationCtx(context, savepoint), savepoint));
    const counted = { ...context, limitRate: once(context.limitRate) };
    return retryOnConflict(name, (timeoutMs) =>
      transaction((current) => handle(mutationCtx(counted, current), current), timeoutMs),
    );
  },

  action: ({ context }, handle) => inActionTime(context, (limited) => handle(actionCtx(limited), alone)),
};

/** Counts the attempts of a mutation as one. */
function once(limitRate: RequestContext["limitRate"]): RequestContext["limitRate"] {
  const counts = new Map<string, Promise<void>>();
  return (limit) => {
    const name = JSON.stringify(limit);
    const count = counts.get(name) ?? limitRate(limit);
    counts.set(name, count);
    return count;
  };
}

/**
 * Runs an action with a signal that is aborted when its time is over, or with the signal of the action that called it. Throws
 * when the time is over, whether or not the action heeds the signal.
 */
export async function inActionTime<R>(
  context: RequestContext,
  run: (limited: RequestContext) => Promise<R>,
): Promise<R> {
  const over = new AbortController();
  const signal = context.signal ? AbortSignal.any([context.signal, over.signal]) : over.signal;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `The action took longer than ${env.ACTION_TIMEOUT / 1000} s; do less in one, or schedule the rest`;
      const error = new TRPCError({ code: "TIMEOUT", message });
      over.abort(error);
      reject(error);
    }, env.ACTION_TIMEOUT);
  });
  try {
    return await Promise.race([run({ ...context, signal }), late]);
  } finally {
    clearTimeout(timer);
  }
}
