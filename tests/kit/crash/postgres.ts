import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startPostgres } from "../../../scripts/postgres.mjs";
import { identify } from "../../../scripts/processes.mjs";
import { createDatabase } from "../../database";

// A PostgreSQL of its own, which writes through to the disk as one in production does. Import it before anything that
// reads DATABASE_URL. A run that is killed leaves a folder that the next one removes, by its name.

const folder = join(tmpdir(), `next-trpc-storage-test-${process.pid}-${randomUUID().slice(0, 8)}`);
let server = await startPostgres({ folder });
const database = await createDatabase(server.url);
process.env.DATABASE_URL = database.url;

/** Kills all of its processes at once and starts it again, on the same data and port. */
export async function crashPostgres(): Promise<void> {
  const client = new pg.Client({ connectionString: server.url });
  client.on("error", () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>("SELECT pid FROM pg_stat_activity");
  // Kills the postmaster first, because it would start the others again.
  for (const pid of [server.pid, ...rows.map(({ pid }) => pid)]) killNow(pid);
  while (await identify(server.pid)) await new Promise(setImmediate);
  server = await startPostgres({ folder, port: server.port });
}

function killNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // A connection that ended in between.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

export async function removePostgres(): Promise<void> {
  await server.stop();
  await rm(server.folder, { recursive: true });
  await rm(folder, { recursive: true, force: true });
}
