import pg from "pg";

export const uniqueViolation = "23505";

/**
 * PostgreSQL's five-character error code, wherever Prisma keeps it: an error's own cause, a driver adapter's, or in the
 * `meta` of a failed raw statement; or the driver's own error, as a failed COMMIT throws it. `null` when the error is not PostgreSQL's.
 */
export function sqlState(error: unknown): string | null {
  if (typeof error !== "object" || error === null) return null;
  if (error instanceof pg.DatabaseError) return error.code ?? null;
  const { originalCode, kind, meta, cause, driverAdapterError } = error as Record<string, unknown>;
  if (typeof originalCode === "string") return originalCode;
  // At commit Prisma drops the code and keeps only this.
  if (kind === "TransactionWriteConflict") return "40001";
  return sqlState(driverAdapterError) ?? sqlState(meta) ?? sqlState(cause);
}
