export const uniqueViolation = "23505";

/**
 * PostgreSQL's five-character error code, wherever Prisma keeps it: an error's own cause, a driver adapter's, or in the
 * `meta` of a failed raw statement. `null` when the error is not PostgreSQL's.
 */
export function sqlState(error: unknown): string | null {
  if (typeof error !== "object" || error === null) return null;
  const { originalCode, kind, meta, cause, driverAdapterError } = error as Record<string, unknown>;
  if (typeof originalCode === "string") return originalCode;
  // At commit Prisma drops the code and keeps only this.
  if (kind === "TransactionWriteConflict") return "40001";
  return sqlState(driverAdapterError) ?? sqlState(meta) ?? sqlState(cause);
}

const connectionErrors = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "P1001",
  "P1002",
  "P1017",
  "P2028",
]);

/** Whether the database went away under a statement, so that trying again later may work. */
export function isConnectionLost(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { code, cause, kind } = error as Record<string, unknown>;
  const state = sqlState(error);
  return (
    (typeof code === "string" && connectionErrors.has(code)) ||
    kind === "ConnectionClosed" ||
    kind === "DatabaseNotReachable" ||
    /^(08|57P)/.test(state ?? "") ||
    /Connection terminated|Client has encountered a connection error/.test(String(error)) ||
    isConnectionLost(cause)
  );
}
