import { setTimeout as sleep } from "node:timers/promises";
import { PrismaClient } from "~/generated/prisma/client";
import { env, onVercel } from "../process/env";
import { processWide } from "../process/process-wide";
import { Adapter, Pool } from "./connections";

/** Milliseconds that a statement of a request may take; the call that waits for it then fails with 503. */
const statementTimeout = 15_000;
/** Milliseconds that a statement of housekeeping may take, because it may read every file's row. */
const housekeepingTimeout = 15 * 60_000;

/** The URL of a connection without a transaction pooler, for `LISTEN`; `undefined` when there is none. */
export const directDatabaseUrl = (): string | undefined =>
  env.DIRECT_DATABASE_URL ?? env.DATABASE_URL_UNPOOLED ?? env.POSTGRES_URL_NON_POOLING;

/** The process's connections to PostgreSQL, by purpose. */
export const pools = processWide("pools", () => {
  const url = env.DATABASE_URL ?? "postgresql://build";
  const { size, waitTimeout } = poolSettings(new URL(url).searchParams);
  return {
    /** Connections for functions, and for the kit where it holds no other connection. */
    functions: new Pool({ url, size, waitTimeout, statementTimeout, onCommit: announce }),
    /**
     * Connections for lookups while a function may hold a connection: the identity and rate limits. Code that holds a
     * connection never waits for a second one of the same pool, because enough such code would wait for itself. Code that
     * holds one of these never waits for one of `functions`.
     */
    lookups: new Pool({ url, size: Math.ceil(size / 2), waitTimeout, statementTimeout }),
    /** Connections for housekeeping. */
    upkeep: new Pool({
      url,
      size: 2,
      waitTimeout: housekeepingTimeout,
      statementTimeout: housekeepingTimeout,
      onCommit: announce,
    }),
  };
});

/** The least time between two announcements of a process. */
const announcementPauseMs = 20;
const announcements = processWide("announcements", () => ({ isPaused: false, isDue: false }));

/**
 * Wakes the processes on this database to look for what was committed. Announcing has a transaction of its own: PostgreSQL
 * takes one lock for the commits of all transactions that notify, so that those would wait for one another.
 */
async function announce(): Promise<void> {
  announcements.isDue = true;
  // Where pages poll, no process listens.
  if (announcements.isPaused || (onVercel() && env.LIVE_TRANSPORT !== "stream")) return;
  announcements.isPaused = true;
  while (announcements.isDue) {
    announcements.isDue = false;
    // Lost announcements do no harm: processes look now and then by themselves.
    const sent = pools.lookups.query("NOTIFY changes").catch(() => undefined);
    await Promise.all([sent, sleep(announcementPauseMs, undefined, { ref: false })]);
  }
  announcements.isPaused = false;
}

/** The pool for functions. */
export const pool = pools.functions;

/**
 * Prisma over that pool, for the kit itself; functions use `ctx.db`. A reload of this module makes a new client, so that a
 * regenerated client works without a restart.
 */
export const prisma = clientOf(pools.functions);

/** Prisma for lookups beside a function's own statements. */
export const lookups = clientOf(pools.lookups);

/** Prisma for housekeeping, whose statements may take 15 minutes. */
export const maintenance = clientOf(pools.upkeep);

/** Prisma's client, or the client of a transaction, whose `$transaction` is a savepoint. */
export type Client = Omit<typeof prisma, "$connect" | "$disconnect" | "$on" | "$extends">;

function clientOf(connections: Pool) {
  // By default Prisma waits two seconds for a connection, less than the pool does.
  const transactionOptions = {
    maxWait: (connections.options.connectionTimeoutMillis ?? 10_000) + 5_000,
    timeout: 30_000,
  };
  return new PrismaClient({
    adapter: new Adapter(connections),
    omit: { storage: { blobKey: true }, storageVariant: { blobKey: true } },
    transactionOptions,
  });
}

/**
 * Reads the pool's size, and the seconds to wait for a connection, from the parameters of Prisma's URLs. Settings take
 * precedence.
 */
function poolSettings(parameters: URLSearchParams): { size: number; waitTimeout?: number } {
  const limit = Number(parameters.get("connection_limit"));
  // The pool has one time limit for waiting and connecting.
  const timeout = Math.max(Number(parameters.get("pool_timeout")), Number(parameters.get("connect_timeout")));
  return {
    // Vercel runs many small processes, each with its own pools.
    size: env.DATABASE_POOL_SIZE ?? (limit > 0 ? limit : onVercel() ? 5 : 10),
    ...(timeout > 0 && { waitTimeout: timeout * 1000 }),
  };
}
