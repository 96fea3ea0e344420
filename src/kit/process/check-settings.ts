import { directDatabaseUrl } from "../database/database";
import { readDriverEnv } from "../storage/drivers/driver-env";
import { env } from "./env";

/**
 * Refuses the start for settings that have no effect as they are: half of a pair, or made useless by another. Whoever set
 * them believes otherwise. Credentials of a store that is not chosen are let be, because hosts set them.
 */
export function checkSettings(): void {
  for (const url of [env.DATABASE_URL, directDatabaseUrl()]) if (url) checkDatabaseUrl(url);
  if (env.STORAGE_REDIRECT_ABOVE !== undefined && readDriverEnv(process.env).STORAGE_DRIVER === "disk") {
    throw new Error(
      "STORAGE_REDIRECT_ABOVE has no effect with files on disk: only a cloud store serves files itself. Remove it, or set " +
        "STORAGE_DRIVER.",
    );
  }
  if (env.CALL_LOG_ROWS === 0 && (process.env.CALL_LOG_DAYS || process.env.CALL_LOG_BYTES)) {
    throw new Error(
      "CALL_LOG_DAYS and CALL_LOG_BYTES have no effect with CALL_LOG_ROWS=0. Remove them, or keep some calls.",
    );
  }
  if (process.env.VERCEL === "1" && env.TRUST_PROXY > 0) {
    throw new Error("TRUST_PROXY has no effect on Vercel, which names the client's address itself. Remove it.");
  }
}

/** What parameters of a URL mean to Prisma's older engines, and nothing here. */
const useless: Record<string, string> = {
  sslaccept: "use sslmode=verify-full with sslrootcert, or sslmode=no-verify",
  sslidentity: "use sslcert and sslkey",
  socket_timeout: "a statement has 15 seconds",
};

function checkDatabaseUrl(url: string): void {
  const { searchParams, hostname } = new URL(url);
  const refuse = (name: string, advice: string) => {
    throw new Error(`The database URL of ${hostname} has "${name}", which has no effect here: ${advice}. Remove it.`);
  };
  const schema = searchParams.get("schema");
  if (schema !== null && schema !== "public") {
    refuse(`schema=${schema}`, "the tables are in the schema public. Give the app a database of its own");
  }
  for (const [name, advice] of Object.entries(useless)) if (searchParams.has(name)) refuse(name, advice);
}
