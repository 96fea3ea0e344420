import { TRPCError } from "@trpc/server";
import type { Auth } from "../auth/require-identity";
import { retryOnConflict } from "../database/conflict";
import { type ReadDb, readDb, type WriteDb, writeDb } from "../database/db";
import { alone, snapshot, type Transaction, transaction } from "../database/transaction";
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
import { type Caller, deeper } from "./caller";
import { nameOf } from "./registry";
import { definition, type Kind, type RunAction, type RunMutation, type RunQuery } from "./server-function";

/** What a query can do: read. All that it reads is of one moment, that of its first statement. */
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
   * Counts a call of this kind by the caller, once, also where the mutation runs again after a conflict. Throws
   * `TOO_MANY_REQUESTS` after too many in a minute.
   */
  limitRate: Caller["limitRate"];
  /** Runs a query inside the transaction: it sees what the mutation wrote. */
  runQuery: RunQuery;
  /** Runs another mutation inside the transaction. When it throws, only what it did itself is undone. */
  runMutation: RunMutation;
}

/** What an action can do: anything, except to touch the database but through queries and mutations. */
export interface ActionCtx {
  storage: StorageActionWriter;
  auth: Auth;
  scheduler: Scheduler;
  /**
   * Aborted when the action has taken longer than `ACTION_TIMEOUT` (10 minutes unless set), when its caller went away, or
   * when the server stops. Pass it on to what may take long: `fetch(url, { signal: ctx.signal })`.
   */
  signal: AbortSignal;
  /** Counts a call of this kind by the caller. Throws `TOO_MANY_REQUESTS` after too many in a minute. */
  limitRate: Caller["limitRate"];
  runQuery: RunQuery;
  /** Runs a mutation in a transaction of its own. */
  runMutation: RunMutation;
  runAction: RunAction;
}

function queryCtx(caller: Caller, within: Transaction): QueryCtx {
  const db = readDb(within, caller.noteReads);
  return { db, storage: storageReader(caller, db), auth: authOf(caller), runQuery: runQuery(caller, within) };
}

export function mutationCtx(caller: Caller, transaction: Transaction): MutationCtx {
  const db = writeDb(transaction);
  return {
    db,
    storage: storageWriter(caller, db, transaction),
    auth: authOf(caller),
    scheduler: scheduler(caller, transaction),
    limitRate: caller.limitRate,
    runQuery: runQuery(caller, transaction),
    runMutation: (fn, ...[args]) =>
      observe(callOf(caller, fn), () =>
        transaction.nest((savepoint) => fn[definition].handle(mutationCtx(deeper(caller), savepoint), args)),
      ),
  };
}

export function actionCtx(caller: Caller): ActionCtx {
  return {
    storage: storageActionWriter(caller, readDb(alone), alone),
    auth: authOf(caller),
    scheduler: scheduler(caller, alone),
    signal: caller.signal ?? new AbortController().signal,
    limitRate: caller.limitRate,
    runQuery: runQuery(caller),
    runMutation: runMutation(caller),
    runAction: runAction(caller),
  };
}

const authOf = (caller: Caller): Auth => ({ getUserIdentity: caller.identity });

export function runQuery(caller: Caller, within?: Transaction): RunQuery {
  return (fn, ...[args]) =>
    observe(callOf(caller, fn), () => {
      const handle = (current: Transaction) => fn[definition].handle(queryCtx(deeper(caller), current), args);
      return within ? handle(within) : snapshot(handle);
    });
}

/** A mutation runs again from its start when it loses a conflict. */
export function runMutation(caller: Caller): RunMutation {
  return (fn, ...[args]) =>
    observe(callOf(caller, fn), () => {
      const counted = { ...deeper(caller), limitRate: once(caller.limitRate) };
      return retryOnConflict(nameOf(fn) ?? "", (timeout) =>
        transaction((current) => fn[definition].handle(mutationCtx(counted, current), args), timeout),
      );
    });
}

/** Counts what is counted again and again as one: the attempts of a mutation. */
function once(limitRate: Caller["limitRate"]): Caller["limitRate"] {
  const counts = new Map<string, Promise<void>>();
  return (name) => {
    const count = counts.get(name) ?? limitRate(name);
    counts.set(name, count);
    return count;
  };
}

export function runAction(caller: Caller): RunAction {
  return (fn, ...[args]) =>
    observe(callOf(caller, fn), () =>
      inActionTime(caller, (limited) => fn[definition].handle(actionCtx(deeper(limited)), args)),
    );
}

/**
 * Runs an action with a signal that is aborted when its time is over, or that of the action that called it. Then throws,
 * whether or not the action heeds the signal.
 */
export async function inActionTime<R>(caller: Caller, run: (limited: Caller) => Promise<R>): Promise<R> {
  const over = new AbortController();
  const signal = caller.signal ? AbortSignal.any([caller.signal, over.signal]) : over.signal;
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
    return await Promise.race([run({ ...caller, signal }), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How the log of calls has it. */
const callOf = ({ requestId }: Caller, fn: { [definition]: { kind: Kind } }) => ({
  requestId,
  name: nameOf(fn) ?? "(unnamed)",
  kind: fn[definition].kind,
});
