import { type Client, prisma } from "./database";
import { traced } from "./tracing/traced";

/** Milliseconds to wait for a connection, and for a transaction to end before it is rolled back. */
const limits = { maxWait: 10_000, timeout: 30_000 };

type Begin = (body: (client: Client) => Promise<void>) => Promise<void>;

/** A transaction that opens when its first statement runs: a mutation that reads and writes nothing costs nothing. */
export interface Transaction {
  /** Runs statements. Those of one transaction may be started in parallel. */
  run<R>(statement: (client: Client) => PromiseLike<R>): Promise<R>;
  /** Runs `body` in a savepoint: when it throws, only its own writes are undone. */
  nest<R>(body: (transaction: Transaction) => Promise<R>): Promise<R>;
  /** Runs `task` once the outermost transaction has committed. A crash may come before: only for what can be lost. */
  afterCommit(task: () => void): void;
}

/** What can run statements, be it in a transaction or not. */
export type Statements = Pick<Transaction, "run" | "afterCommit">;

/** Each statement by itself: an action has no transaction around its calls. */
export const alone: Statements = {
  run: (statement) => Promise.resolve(statement(prisma)),
  afterCommit: (task) => task(),
};

/** Runs `body` in one serializable transaction: commits when it returns, rolls back when it throws. */
export async function transaction<R>(body: (transaction: Transaction) => Promise<R>): Promise<R> {
  const begin: Begin = (run) =>
    prisma.$transaction((client) => run(client as Client), { ...limits, isolationLevel: "Serializable" });
  const tasks = new Set<() => void>();
  const result = await traced("transaction", {}, () => scope(begin, body, (task) => tasks.add(task)));
  for (const task of tasks) task();
  return result;
}

async function scope<R>(
  begin: Begin,
  body: (transaction: Transaction) => Promise<R>,
  afterCommit: Transaction["afterCommit"],
): Promise<R> {
  let opened: ReturnType<typeof open> | undefined;
  let failure: { error: unknown } | undefined;
  const running = new Set<Promise<unknown>>();
  // Savepoints of one connection cannot overlap with each other or with their parent's statements: they queue here.
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

  const current: Transaction = {
    run: (statement) =>
      track(
        lastNested
          .then(client)
          .then(statement)
          .catch((error) => {
            failure ??= { error };
            throw error;
          }),
      ),
    nest: (body) => {
      const before = Promise.allSettled([lastNested, ...running]);
      const savepoint: Begin = async (run) => (await client()).$transaction((inner) => run(inner as Client));
      const done = before.then(() => scope(savepoint, body, afterCommit));
      lastNested = done.catch(() => undefined);
      return track(done);
    },
    afterCommit,
  };

  let result: R;
  try {
    result = await body(current);
    await Promise.allSettled(running);
    if (failure && opened) await refuseIfPoisoned(await opened.client, failure.error);
  } catch (error) {
    await Promise.allSettled(running);
    await opened?.end("roll back");
    throw error;
  }
  await opened?.end("commit");
  return result;
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
  // Nobody waits for it when the transaction could not begin.
  outcome.catch(() => undefined);
  let ended: Promise<void> = outcome;
  const client = new Promise<Client>((resolve, reject) => {
    ended = begin((client) => {
      resolve(client);
      return outcome;
    });
    ended.catch(reject);
  });
  return {
    client,
    async end(how: "commit" | "roll back"): Promise<void> {
      if (how === "commit") {
        commit();
        return ended;
      }
      rollBack();
      await ended.catch((error) => {
        // What made us roll back is the error worth throwing; a roll-back that failed too is only worth a line.
        if (error !== rolledBack) console.error("Could not roll back cleanly:", error);
      });
    },
  };
}
