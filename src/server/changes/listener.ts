import pg from "pg";
import { env } from "../env";
import { processWide } from "../process-wide";

/** Called with the table that committed changes; with `null` when some may have been missed. */
type Listener = (table: string | null) => void;

const channel = "changes";
/** Milliseconds before connecting again. */
const pause = 500;

const listeners = processWide("change listeners", () => new Set<Listener>());
const connection = processWide("change connection", () => ({ wanted: false }));

/** Hears of every change that commits, in this process or another on the database. Returns what ends it. */
export function onChange(listener: Listener): () => void {
  listeners.add(listener);
  if (!connection.wanted) {
    connection.wanted = true;
    connect();
  }
  return () => {
    listeners.delete(listener);
  };
}

const tell = (table: string | null) => {
  for (const listener of listeners) listener(table);
};

/** One connection for the process, made again whenever it breaks. */
function connect(): void {
  const client = new pg.Client({ connectionString: env.DIRECT_DATABASE_URL ?? env.DATABASE_URL, keepAlive: true });
  let ended = false;
  const again = (error?: Error) => {
    if (ended) return;
    ended = true;
    if (error) console.error("Lost the connection that listens for changes:", error.message);
    client.end().catch(() => undefined);
    if (listeners.size === 0) connection.wanted = false;
    else setTimeout(connect, pause).unref();
  };
  client.on("error", again).on("end", () => again());
  client.on("notification", ({ payload }) => tell(payload ?? null));
  client
    .connect()
    .then(() => client.query(`LISTEN ${channel}`))
    // What committed before is not told.
    .then(() => tell(null), again);
}
