import { PrismaClient } from "~/generated/prisma/client";
import { env } from "../process/env";
import { processWide } from "../process/process-wide";
import { Adapter, Pool } from "./connections";

/** Where there are many small processes, each with pools of its own. */
const onVercel = process.env.VERCEL === "1";

/** Milliseconds that a statement of a request may take; the call that waits for it then fails with 503. */
const statementTimeout = 15_000;
/** Milliseconds that a statement of upkeep may take: it may look at every file. */
const upkeepTimeout = 15 * 60_000;

/** A connection past a transaction pooler, for listening; `undefined` where none is named. */
export const directDatabaseUrl = (): string | undefined =>
  env.DIRECT_DATABASE_URL ?? env.DATABASE_URL_UNPOOLED ?? env.POSTGRES_URL_NON_POOLING;

/** The process's connections to PostgreSQL, by what they are for. */
export const pools = processWide("pools", () => {
  const url = env.DATABASE_URL ?? "postgresql://build";
  const { size, waitTimeout } = poolSettings(new URL(url).searchParams);
  return {
    /** For what functions do, and for the kit where it holds no other connection. */
    functions: new Pool({ url, size, waitTimeout, statementTimeout }),
    /**
     * For what the kit looks up while a function may hold a connection: who calls, and how often they called. Whoever
     * holds a connection never waits for a second one of the same pool, since enough of them would wait for one another.
     * Nothing that holds one of these waits for one of `functions`.
     */
    lookups: new Pool({ url, size: Math.ceil(size / 2), waitTimeout, statementTimeout }),
    upkeep: new Pool({ url, size: 2, waitTimeout: upkeepTimeout, statementTimeout: upkeepTimeout }),
  };
});

/** The pool of what functions do. */
export const pool = pools.functions;

/**
 * Prisma over that pool, for the kit itself; functions use `ctx.db`. The client is made anew when its module is
 * reloaded, so that a regenerated client works without a restart.
 */
export const prisma = clientOf(pools.functions);

/** Prisma for look-ups beside a function's own statements. */
export const lookups = clientOf(pools.lookups);

/** Prisma for upkeep, whose statements may take 15 minutes. */
export const maintenance = clientOf(pools.upkeep);

/** Prisma's client, or that of a transaction, whose `$transaction` is a savepoint. */
export type Client = Omit<typeof prisma, "$connect" | "$disconnect" | "$on" | "$extends">;

function clientOf(connections: Pool) {
  // Prisma waits two seconds for a connection where the pool is patient.
  const transactionOptions = {
    maxWait: (connections.options.connectionTimeoutMillis ?? 10_000) + 5_000,
    timeout: 30_000,
  };
  return new PrismaClient({
    adapter: new Adapter(connections),
    omit: { storage: { blobKey: true } },
    transactionOptions,
  });
}

/** What Prisma's own URLs say of the pool counts where there is no setting: connections, and seconds to wait for one. */
function poolSettings(parameters: URLSearchParams): { size: number; waitTimeout?: number } {
  const limit = Number(parameters.get("connection_limit"));
  const timeout = Number(parameters.get("pool_timeout"));
  return {
    size: env.DATABASE_POOL_SIZE ?? (limit > 0 ? limit : onVercel ? 5 : 10),
    ...(timeout > 0 && { waitTimeout: timeout * 1000 }),
  };
}
