import { PrismaPg } from "@prisma/adapter-pg";
import type { IsolationLevel, SqlDriverAdapter, Transaction } from "@prisma/driver-adapter-utils";
import pg from "pg";
import { processWide } from "../process/process-wide";
import { DatabaseUnavailable } from "./errors";

/** How long to wait for a free connection, and for a new one to be made. */
const connectTimeoutMs = 10_000;
/** How long a connection is silent before TCP probes it. */
const keepAliveDelayMs = 10_000;

declare module "pg" {
  interface Client {
    /** The parameters of the startup message. node-postgres has no option for parameters that it does not know. */
    getStartupConf(): Record<string, string>;
    /** The session's time zone, which PostgreSQL reports when the session begins, and whenever it changes. */
    timeZone?: string;
    /** `I` when no transaction is open. */
    getTransactionStatus(): "I" | "T" | "E" | null;
  }
}

interface PoolSettings {
  url: string;
  /** How many connections there are at most. */
  size: number;
  /** Milliseconds to wait for a connection when all are in use. */
  waitTimeout?: number;
  /** Milliseconds that a statement may take before its connection is given up. */
  statementTimeout: number;
  /** Called when a connection has committed something. */
  onCommit?: () => void;
}

/**
 * A pool of connections to PostgreSQL. All sessions are in UTC, whatever the zone of the database, because Prisma writes and
 * reads times without a zone. Waiting for a connection and for an answer has a time limit. When the database cannot be
 * reached, calls throw `DatabaseUnavailable`.
 */
export class Pool extends pg.Pool {
  /** The host and port of the database, for the log. */
  readonly place: string;
  readonly statementTimeout: number;

  constructor({ url, size, waitTimeout = connectTimeoutMs, statementTimeout, onCommit }: PoolSettings) {
    super({
      Client: Connection,
      connectionString: url,
      max: size,
      connectionTimeoutMillis: waitTimeout,
      query_timeout: statementTimeout,
      keepAlive: true,
      keepAliveInitialDelayMillis: keepAliveDelayMs,
      // Statements that are sent together take one round trip. A statement without an answer closes its connection, so that
      // the connection's next user does not receive the answer.
      pipeline: true,
      verify: (client, done) => done(zoneProblem(client, url)),
    });
    this.place = placeOf(url);
    this.statementTimeout = statementTimeout;
    // The pool replaces a connection that dies. Without this listener an error on a checked-out client crashes the process;
    // `pool.on("error")` covers idle clients only.
    this.on("connect", (client) => {
      if (onCommit) watchCommits(client, onCommit);
      client.on("error", (error) =>
        console.error(`Lost a connection to the database at ${this.place}:`, error.message),
      );
    });
    this.on("error", () => undefined);
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(
    callback: (
      error: Error | undefined,
      client: pg.PoolClient | undefined,
      done: (release?: Error | boolean) => void,
    ) => void,
  ): void;
  override connect(
    callback?: (
      error: Error | undefined,
      client: pg.PoolClient | undefined,
      done: (release?: Error | boolean) => void,
    ) => void,
  ): Promise<pg.PoolClient> | undefined {
    if (!callback) {
      return super.connect().catch((error) => {
        throw this.translated(error);
      });
    }
    super.connect((error, client, done) => callback(error && this.translated(error), client, done));
  }

  /** Runs one statement on a connection of its own, and returns its rows. */
  async sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    const { rows } = await this.query<Row>({ text, values }).catch((error) => {
      throw this.translated(error);
    });
    return rows;
  }

  /** Returns `DatabaseUnavailable` for an error of the connection. An error that the database answered stays as it is. */
  translated(error: unknown): Error {
    if (error instanceof DatabaseUnavailable) return error;
    if (!isConnectionFailure(error)) return error instanceof Error ? error : new Error(String(error));
    logFailure(this.place, error);
    return new DatabaseUnavailable(error);
  }
}

class Connection extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    this.connection.on("parameterStatus", ({ parameterName, parameterValue }) => {
      if (parameterName === "TimeZone") this.timeZone = parameterValue;
    });
  }

  override getStartupConf(): Record<string, string> {
    // Poolers pass this parameter on, but refuse `options`.
    return { ...super.getStartupConf(), TimeZone: "UTC" };
  }
}

/** The command tags of statements that changed rows, and of a commit. Those of statements that change nothing end with 0. */
const changing = /^(INSERT|UPDATE|DELETE|MERGE|COPY|TRUNCATE|COMMIT)(?!.* 0$)/;

/** Calls `onCommit` when a statement, or a transaction, that changed something has committed. */
function watchCommits({ connection }: pg.PoolClient, onCommit: () => void): void {
  let hasChanged = false;
  connection.on("commandComplete", ({ text }) => {
    if (changing.test(text)) hasChanged = true;
    else if (text === "ROLLBACK") hasChanged = false;
  });
  connection.on("readyForQuery", ({ status }) => {
    if (status !== "I" || !hasChanged) return;
    hasChanged = false;
    onCommit();
  });
}

const isUtc = ({ timeZone = "" }: pg.Client) => /^(Etc\/)?(UTC|Zulu|Universal|UCT)$/i.test(timeZone);

/** The sessions are not in UTC. The message says how to change that. */
export const WrongTimeZone = processWide(
  "WrongTimeZone",
  () =>
    class WrongTimeZone extends Error {
      override name = "WrongTimeZone";
    },
);

/** A pooler may ignore the requested time zone. Then every time would be wrong. */
function zoneProblem(client: pg.Client, url: string): Error | undefined {
  if (isUtc(client)) return undefined;
  const database = decodeURIComponent(new URL(url).pathname.slice(1));
  return new WrongTimeZone(
    `The sessions of DATABASE_URL are in the time zone ${client.timeZone} although UTC was asked for, so that every time would be ` +
      `wrong. Run this on the database, then restart its pooler and the app: ALTER DATABASE "${database}" SET timezone TO 'UTC'`,
  );
}

/** SQLSTATE classes and codes of a database that is going away, coming up, or full: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const unavailableStates = /^(08|57P0[1-5]|53300|25P03)/;

/** Whether an error that the driver threw is one of the connection. */
function isConnectionFailure(error: unknown): boolean {
  // The server's errors have a code of five characters. Everything else comes from the connection.
  if (error instanceof pg.DatabaseError) return unavailableStates.test(error.code ?? "");
  return error instanceof Error && !(error instanceof TypeError);
}

/** Node's codes for a certificate whose issuer is unknown. */
const untrusted = new Set([
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
]);

/** scripts/database.mjs has the same text. */
const waysToTrust =
  "Download the provider's CA certificate and name its file in DATABASE_URL (sslmode=verify-full&sslrootcert=/path/ca.pem), or in " +
  "NODE_EXTRA_CA_CERTS for the whole process. Or encrypt without knowing to whom, on a network that you trust: sslmode=no-verify.";

let lastLogged = { line: "", time: 0 };

/** Logs a failure once every ten seconds, because during an outage every request fails. */
function logFailure(place: string, error: unknown): void {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const reasons = errors.map((reason) => (reason instanceof Error ? reason.message : String(reason)));
  const isUntrusted = errors.some((reason) => untrusted.has(String((reason as { code?: unknown } | null)?.code)));
  const line = isUntrusted
    ? `The database at ${place} has a certificate that this machine does not trust (${reasons.join(", ")}). ${waysToTrust}`
    : `The database at ${place} does not answer: ${reasons.join(", ")}`;
  if (lastLogged.line === line && Date.now() - lastLogged.time < 10_000) return;
  lastLogged = { line, time: Date.now() };
  console.error(line);
}

/** `host:port`, without user, password and database. */
function placeOf(url: string): string {
  const { hostname, port, searchParams } = new URL(url);
  return `${hostname || searchParams.get("host")}:${port || 5432}`;
}

/**
 * Connects Prisma to the database through a pool of the kit. It begins a transaction, and sets its isolation level, in one
 * message where Prisma sends two.
 */
export class Adapter extends PrismaPg {
  constructor(private readonly pool: Pool) {
    super(pool);
  }

  override async connect() {
    const adapter = await super.connect();
    const onPool = queryable(this.pool, this.pool);
    return Object.assign(over(adapter, onPool), {
      startTransaction: (isolationLevel?: IsolationLevel) => this.begin(adapter, isolationLevel),
    });
  }

  private async begin(adapter: SqlDriverAdapter, isolationLevel?: IsolationLevel): Promise<Transaction> {
    const connection = await this.pool.connect();
    const on = queryable(this.pool, connection);
    const onlyReads = isolationLevel === "REPEATABLE READ";
    if (onlyReads) sendTogether(connection);
    const begun = connection.query(beginning(isolationLevel, this.pool.statementTimeout));
    try {
      // A transaction that only reads does not wait: its first statement is sent right behind this one.
      if (onlyReads) begun.catch(() => undefined);
      else await begun;
    } catch (error) {
      connection.release(true);
      throw this.pool.translated(error);
    }
    const execute = (sql: string) =>
      connection.query(sql).catch((error) => {
        throw this.pool.translated(error);
      });
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      // A connection that is not idle, or is in another time zone, must not be used again.
      connection.release(connection.getTransactionStatus() !== "I" || !isUtc(connection));
    };
    return Object.assign(over(adapter, on), {
      // With this option Prisma leaves COMMIT and ROLLBACK to the adapter.
      options: { usePhantomQuery: true },
      async commit() {
        try {
          const { command } = await execute("COMMIT");
          // PostgreSQL answers ROLLBACK when a statement of the transaction failed, even when the error was caught.
          if (command === "ROLLBACK") throw new CommitRefused();
        } finally {
          release();
        }
      },
      async rollback() {
        const done = execute("ROLLBACK").finally(release);
        // A transaction that only reads has nothing to wait for.
        if (onlyReads) done.catch(() => undefined);
        else await done;
      },
      createSavepoint: async (name: string) => void (await execute(`SAVEPOINT ${name}`)),
      rollbackToSavepoint: async (name: string) => void (await execute(`ROLLBACK TO SAVEPOINT ${name}`)),
      releaseSavepoint: async (name: string) => void (await execute(`RELEASE SAVEPOINT ${name}`)),
    });
  }
}

/** Sends in one piece what this turn of the event loop writes: each piece costs as much as a small statement. */
function sendTogether({ connection: { stream } }: pg.PoolClient): void {
  stream.cork();
  setImmediate(() => stream.uncork());
}

/** The transaction could not commit, because one of its statements had failed. */
class CommitRefused extends Error {
  override name = "CommitRefused";
}

/** The SQL that begins a transaction. Queries run in repeatable read, mutations are serializable. */
function beginning(isolationLevel: IsolationLevel | undefined, statementTimeout: number): string {
  const limit = `SET LOCAL statement_timeout = ${statementTimeout}`;
  switch (isolationLevel) {
    case "REPEATABLE READ":
      return `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${limit}`;
    case "SERIALIZABLE":
      // A sequential scan counts as reading the whole table, so mutations of different rows would conflict while a table is
      // small. Without such scans PostgreSQL uses an index. storage/ownership.ts explains the guard.
      return `BEGIN ISOLATION LEVEL SERIALIZABLE; ${limit}; SET LOCAL enable_seqscan = off; SET LOCAL storage.guard = 'on'`;
    default:
      return isolationLevel ? `BEGIN ISOLATION LEVEL ${isolationLevel}` : "BEGIN";
  }
}

/** The part of a pool or a connection that Prisma's adapter uses. */
interface Queryable {
  query(config: pg.QueryConfig): Promise<pg.QueryResult>;
}

/** Sends each statement by the extended protocol, which takes one command, so that injected SQL cannot append another. */
const queryable = (pool: Pool, target: pg.Pool | pg.PoolClient): Queryable => ({
  query: (config) =>
    target.query({ ...config, queryMode: "extended" } as pg.QueryConfig).catch((error) => {
      throw pool.translated(error);
    }),
});

/** Returns the same adapter, with its statements sent to this client. */
function over<A extends SqlDriverAdapter>(adapter: A, client: Queryable): A {
  return Object.create(adapter, { client: { value: client } });
}
