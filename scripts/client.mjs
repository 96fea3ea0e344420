import pg from "pg";

/**
 * The URL of a direct connection, for what a transaction pooler cannot do; null where none is named. Neon's and Vercel's
 * integrations have names of their own for it.
 *
 * @returns {string | null}
 */
export const directUrl = () =>
  process.env.DIRECT_DATABASE_URL || process.env.DATABASE_URL_UNPOOLED || process.env.POSTGRES_URL_NON_POOLING || null;

/**
 * Does `work` with a connection of its own to the database at `url`.
 *
 * @template T
 * @param {string} url
 * @param {(client: pg.Client) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withClient(url, work) {
  const client = new pg.Client({ connectionString: url });
  // Without a listener a lost connection would end the process. The next query rejects instead.
  client.on("error", () => undefined);
  await client.connect().catch((cause) => {
    throw unreachable(url, cause);
  });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * Says which database could not be connected to, without its password.
 *
 * @param {string} url
 * @param {unknown} cause
 */
function unreachable(url, cause) {
  // A host with several addresses fails with one error for each.
  const errors = cause instanceof AggregateError ? cause.errors : [cause];
  const reasons = errors.map((error) => (error instanceof Error ? error.message : error)).join(", ");
  const { host, pathname } = new URL(url);
  const isUntrusted = errors.some((error) => /CERT|VERIFY_LEAF/.test(String(error?.code)));
  // The same in src/kit/database/connections.ts.
  const advice = isUntrusted
    ? ". Download the provider's CA certificate and name its file in the URL (sslmode=verify-full&sslrootcert=/path/ca.pem), or in " +
      "NODE_EXTRA_CA_CERTS for the whole process. Or encrypt without knowing to whom, on a network that you trust: sslmode=no-verify"
    : "";
  return new Error(`Cannot connect to the database ${pathname.slice(1)} on ${host}: ${reasons}${advice}`, { cause });
}
