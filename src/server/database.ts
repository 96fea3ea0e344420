import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";
import { PrismaClient } from "~/generated/prisma/client";
import { env } from "./env";
import { processWide } from "./process-wide";

/** The process's one pool of PostgreSQL connections. */
export const pool = processWide("pool", () => {
  const pool = new pg.Pool({ connectionString: env.DATABASE_URL });
  // A connection that dies is replaced by the pool. Unheard, its error would end the process, and the pool hears only
  // the idle ones.
  pool.on("connect", (client) => {
    client.on("error", (error) => console.error("Lost a database connection:", error.message));
  });
  pool.on("error", () => undefined);
  return pool;
});

/**
 * Prisma over that pool, for the kit itself; functions use `ctx.db`. The client is made anew when its module is
 * reloaded, so that a regenerated client works without a restart.
 */
export const prisma = new PrismaClient({
  adapter: new PrismaPg(pool),
  omit: { storage: { blobKey: true } },
});

/** Prisma's client, or that of a transaction, whose `$transaction` is a savepoint. */
export type Client = Omit<typeof prisma, "$connect" | "$disconnect" | "$on" | "$extends">;
