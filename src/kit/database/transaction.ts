import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { TRPCError } from "@trpc/server";
import { traced } from "../log/tracing";
import { env } from "../process/env";
import { processWide } from "../process/process-wide";
import { type Client, prisma } from "./database";
import { DatabaseUnavailable, isConflict, sqlState } from "./errors";

type Begin = (body: (client: Client) => Promise<void>) => Promise<void>;

/** A transaction that opens when its first statement runs: a function that reads and writes nothing costs nothing. */
export interface Transaction {
  /** Whether it can only read, because it is a query's. */
  readonly onlyReads: boolean;
  /** Runs statements. Those of one transaction may be started in parallel. */
  run<R>(statement: (client: Client) => PromiseLike<R>): Promise<R>;
  /** Runs `body` in a savepoint: when it throws, only its own writes are undone. */
  nest<R>(body: (transaction: Transaction) => Promise<R>): Promise<R>;
  /** Runs `task` once the outermost transaction has committed. A crash may come before: only for what can be lost. */
  afterCommit(task: () => void): void;
}

/** Runs statements, in a transaction or without one. */
export type Statements = Pick<Transaction, "run" | "afterCommit">;

/** Runs each statement by itself: an action has no transaction around its calls. */
export const alone: Transaction = {
  onlyReads: false,
  run: (statement) => Promise.resolve(statement(prisma)),
  nest: (body) => transaction(body),
  afterCommit: (task) => task(),
};

/**
 * Runs `body` in one serializable transaction: commits when it returns, rolls back when it throws. Throws the first
 * conflict of any of its statements, and the first loss of the connection, even when `body` caught it.
 *
 * @param timeout milliseconds until the transaction is given up
 */
export async function transaction<R>(
  body: (transaction: Transaction) => Promise<R>,
  timeout = env.TRANSACTION_TIMEOUT,
): Promise<R> {
  const root = new Root(false, timeout);
  const begin = beginner("Serializable", timeout);
  const result = await traced("transaction", {}, () => scope(root, begin, body));
  for (const task of root.tasks) task();
  return result;
}

/** Runs `body` in a transaction that only reads: all of its statements see the database as it was at the first. */
export function snapshot<R>(body: (transaction: Transaction) => Promise<R>): Promise<R> {
  const timeout = env.TRANSACTION_TIMEOUT;
  return scope(new Root(true, timeout), beginner("RepeatableRead", timeout), body);
}

/** Prisma's own limits come a little later than the kit's, whose errors say more. */
function beginner(isolationLevel: "Serializable" | "RepeatableRead", timeout: number): Begin {
  const limits = { maxWait: timeout + 5_000, timeout: timeout + 5_000 };
  return (run) => prisma.$transaction((client) => run(client as Client), { ...limits, isolationLevel });
}

/** The state that a transaction shares with its savepoints. */
class Root {
  readonly tasks = new Set<() => void>();
  /** The error after which the transaction cannot commit everything it did, whatever its function does with the error. */
  verdict: { error: unknown } | undefined;

  constructor(
    readonly onlyReads: boolean,
    /** Milliseconds. */
    readonly timeout: number,
  ) {}

  judge(error: unknown): void {
    if (isConflict(error) || error instanceof DatabaseUnavailable) this.verdict ??= { error };
  }
}

const startedLate = () =>
  new Error(
    "A call of ctx.db, ctx.storage, ctx.scheduler or ctx.run… was made after the function had returned, so that it " +
      "belongs to no transaction. Await every call before the function returns",
  );

async function scope<R>(root: Root, begin: Begin, body: (transaction: Transaction) => Promise<R>): Promise<R> {
  let opened: ReturnType<typeof open> | undefined;
  let failure: { error: unknown } | undefined;
  let isOver = false;
  const running = new Set<Promise<unknown>>();
  // Savepoints of one connection cannot overlap with each other or with their parent's statements, so they queue here.
  let lastNested: Promise<unknown> = Promise.resolve();

  const client = () => {
    opened ??= open(begin);
    return opened.client;
  };

  const track = <T>(promise: Promise<T>) => {
    running.add(promise);
    const forget = () => running.delete(promise);
    promise.then(forget, forget);
    return promise;
  };

  /** Throws when nothing can be started any more. */
  const checkOpen = () => {
    if (isOver) {
      const error = startedLate();
      root.verdict ??= { error };
      throw error;
    }
    if (root.verdict) throw root.verdict.error;
  };

  const current: Transaction = {
    onlyReads: root.onlyReads,
    run: async (statement) => {
      checkOpen();
      return track(
        lastNested
          .then(client)
          .then(statement)
          .catch((error) => {
            root.judge(error);
            // Statements after a failed one fail because of it, and their errors say nothing more.
            if (sqlState(error) === inFailedTransaction && failure) throw failure.error;
            failure ??= { error };
            throw error;
          }),
      );
    },
    nest: async (body) => {
      checkOpen();
      const before = Promise.allSettled([lastNested, ...running]);
      const savepoint: Begin = async (run) => (await client()).$transaction((inner) => run(inner as Client));
      const done = before.then(() => scope(root, savepoint, body));
      lastNested = done.catch(() => undefined);
      return track(done);
    },
    afterCommit: (task) => root.tasks.add(task),
  };

  /** Calls that started before the function returned belong to the transaction. Calls that those start are too late. */
  const finish = async () => {
    const wasRunning = running.size > 0;
    isOver = true;
    await Promise.allSettled(running);
    if (wasRunning) await nextTurn();
  };

  let result: R;
  try {
    result = await inTime(root, body(current));
    await finish();
    if (root.verdict) throw root.verdict.error;
    if (failure && opened && !root.onlyReads) await refuseIfPoisoned(await opened.client, failure.error);
  } catch (error) {
    isOver = true;
    const rolledBack = opened?.end("roll back");
    if (error instanceof TimedOut) throw error;
    await finish();
    if (!root.onlyReads) await rolledBack;
    throw root.verdict ? root.verdict.error : error;
  }
  // A transaction that has nothing to commit is not awaited.
  if (root.onlyReads) void opened?.end("roll back");
  else await commit();
  return result;

  async function commit() {
    try {
      await opened?.end("commit");
    } catch (error) {
      root.judge(error);
      throw root.verdict ? root.verdict.error : error;
    }
  }
}

/** SQLSTATE of a statement after a failed one in the same transaction. */
const inFailedTransaction = "25P02";

class TimedOut extends TRPCError {
  constructor({ onlyReads }: Root) {
    const limit = `${env.TRANSACTION_TIMEOUT / 1000} s`;
    const message = onlyReads
      ? `The query took longer than ${limit}; ask for less`
      : `The mutation took longer than ${limit} and was undone; do less in one, or schedule what can come later`;
    super({ code: "TIMEOUT", message });
  }
}

/** Throws when the function takes longer than its transaction may. It may go on, but everything it then starts fails. */
async function inTime<R>(root: Root, result: Promise<R>): Promise<R> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimedOut(root)), root.timeout);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** PostgreSQL answers COMMIT after a failed statement with a silent ROLLBACK, even when the handler caught the error. */
async function refuseIfPoisoned(client: Client, error: unknown): Promise<void> {
  await client.$queryRaw`SELECT 1`.catch(() => {
    throw error;
  });
}

/** Turns Prisma's callback into a transaction that is ended by a call. */
function open(begin: Begin) {
  const rolledBack = new Error("Rolled back");
  let commit: () => void;
  let rollBack: () => void;
  const outcome = new Promise<void>((resolve, reject) => {
    commit = resolve;
    rollBack = () => reject(rolledBack);
  });
  // The outcome is not awaited when the transaction could not begin.
  outcome.catch(() => undefined);
  let ended: Promise<void> = outcome;
  let hasBegun = false;
  const client = new Promise<Client>((resolve, reject) => {
    ended = begin((client) => {
      hasBegun = true;
      resolve(client);
      return outcome;
    });
    ended.catch(reject);
  });
  client.catch(() => undefined);
  return {
    client,
    async end(how: "commit" | "roll back"): Promise<void> {
      if (how === "commit") {
        commit();
        return ended;
      }
      rollBack();
      await ended.catch((error) => {
        // The error that caused the rollback is thrown. A failed rollback is only logged.
        if (hasBegun && error !== rolledBack && !(error instanceof DatabaseUnavailable))
          console.error("Could not roll back cleanly:", error);
      });
    },
  };
}

/** Attempts that run concurrently with all others. Mutations that lost as often run one after another. */
const concurrentAttempts = 2;
const maxPauseMs = 500;

/** The last mutation in the queue of those that lost, by name. */
const turns = processWide("turns of retries", () => new Map<string, Promise<void>>());

/**
 * Retries `attempt` while it loses serialization conflicts, with jittered pauses, until the time limit of a mutation is over.
 * Then it throws `CONFLICT` with the last error as its cause. After two losses, mutations of one name run one after another,
 * so that fewer of them can conflict.
 *
 * @param name of the function, for example `messages.sendMessage`
 * @param attempt receives how many milliseconds are left
 */
export async function retryOnConflict<R>(name: string, attempt: (timeout: number) => Promise<R>): Promise<R> {
  const deadline = Date.now() + env.TRANSACTION_TIMEOUT;
  let endTurn: (() => void) | undefined;
  let lost: unknown;
  try {
    for (let tried = 1; ; tried++) {
      try {
        return await attempt(Math.max(1, deadline - Date.now()));
      } catch (error) {
        if (isConflict(error)) lost = error;
        else if (!lost || Date.now() < deadline) throw error;
        const left = deadline - Date.now();
        if (left <= 0) {
          const message = `Lost conflicts with other mutations for ${env.TRANSACTION_TIMEOUT / 1000} s; try again`;
          throw new TRPCError({ code: "CONFLICT", message, cause: lost });
        }
        await sleep(Math.min(left, maxPauseMs, 10 * 2 ** tried) * Math.random());
        if (tried === concurrentAttempts) endTurn = await turn(name, deadline);
      }
    }
  } finally {
    endTurn?.();
  }
}

/** Waits for all earlier turns to end, or for the deadline. Returns a function that ends this turn. */
async function turn(name: string, deadline: number): Promise<() => void> {
  let end: () => void = () => undefined;
  const before = turns.get(name) ?? Promise.resolve();
  const own = new Promise<void>((resolve) => {
    end = resolve;
  });
  const last = before.then(() => own);
  turns.set(name, last);
  void last.then(() => turns.get(name) === last && turns.delete(name));
  const timer = new AbortController();
  await Promise.race([
    before,
    sleep(Math.max(0, deadline - Date.now()), undefined, { signal: timer.signal }).catch(() => undefined),
  ]);
  timer.abort();
  return end;
}
