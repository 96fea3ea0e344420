import { TRPCError } from "@trpc/server";
import pg from "pg";
import { processWide } from "../process/process-wide";

/**
 * The database could not be reached, or the connection was lost during a statement. Trying again later may work. Only the
 * kit throws this, where it talks to the database: an error that a function throws is never one, whatever its text or cause.
 */
export const DatabaseUnavailable = processWide(
  "DatabaseUnavailable",
  () =>
    class DatabaseUnavailable extends Error {
      override name = "DatabaseUnavailable";
      /** The driver's error. It is not the `cause`, because the pool has logged it once, with the name of the host. */
      readonly reason: unknown;

      constructor(reason: unknown) {
        super("The database does not answer now; try again in a moment");
        Object.defineProperty(this, "reason", { value: reason, enumerable: false });
        // The stack helps with nothing, and during an outage every request logs one.
        this.stack = `${this.name}: ${this.message}`;
      }
    },
);
export type DatabaseUnavailable = InstanceType<typeof DatabaseUnavailable>;

/** Seconds after which a client may try again. */
export const retryAfter = 1;

/**
 * The error for the client: 503 when the database could not be reached, and what `refusals` has for a call that the database
 * refused. Any other error stays as it is.
 */
export function asAnswer(error: unknown): unknown {
  if (error instanceof DatabaseUnavailable) {
    return new TRPCError({ code: "SERVICE_UNAVAILABLE", message: error.message, cause: error });
  }
  const refusal = refusalOf(error);
  if (!refusal || !(error instanceof Error)) return error;
  // The database's words have names and values. The function log has them in production, too.
  const words = process.env.NODE_ENV === "production" ? "" : ` (${error.message.trim().split("\n").at(-1)})`;
  return new TRPCError({ code: refusal.code, message: refusal.message + words, cause: error });
}

interface Refusal {
  code: "BAD_REQUEST" | "NOT_FOUND" | "CONFLICT";
  message: string;
}

const badValue: Refusal = {
  code: "BAD_REQUEST",
  message: "A value of the call is too long, out of range, or malformed.",
};

/** The class of SQLSTATE for such values. */
const dataException = "22";

/** Errors of the database that a caller causes and can do something about, by SQLSTATE, or by Prisma's code. */
const refusals: Record<string, Refusal> = {
  P2025: { code: "NOT_FOUND", message: "Something that the call names does not exist." },
  "23503": {
    code: "CONFLICT",
    message: "The call refers to something that is gone, or removes something that is in use.",
  },
  "23505": { code: "CONFLICT", message: "The call would store something a second time that may exist only once." },
  "23514": { code: "CONFLICT", message: "The call would store values that are not allowed." },
  // A text is too long for an index.
  "54000": badValue,
  "23P01": { code: "CONFLICT", message: "The call would store something that overlaps with what is stored." },
};

function refusalOf(error: unknown): Refusal | undefined {
  const isPrismas = error instanceof Error && error.name === "PrismaClientKnownRequestError";
  // A constraint that is deferred fails at the commit, with the driver's error.
  if (!isPrismas && !(error instanceof pg.DatabaseError)) return;
  const { code } = error as { code?: string };
  const state = sqlState(error) ?? code ?? "";
  // In raw SQL, a cast in the statement may be wrong.
  const isOfValue = isPrismas && code !== rawFailed && state.startsWith(dataException);
  return refusals[state] ?? (isOfValue ? badValue : undefined);
}

/** Prisma's code for raw SQL that failed. */
const rawFailed = "P2010";

export const uniqueViolation = "23505";
export const foreignKeyViolation = "23503";
const serializationFailure = "40001";
const deadlock = "40P01";

/**
 * PostgreSQL's five-character error code, or `null` when the error is not PostgreSQL's. A failed COMMIT throws the driver's
 * own error. Prisma keeps it in the error's cause, in the driver adapter's error, or in the `meta` of a failed raw statement.
 */
export function sqlState(error: unknown): string | null {
  if (typeof error !== "object" || error === null) return null;
  if (error instanceof pg.DatabaseError) return error.code ?? null;
  const { originalCode, kind, meta, cause, driverAdapterError } = error as Record<string, unknown>;
  if (typeof originalCode === "string") return originalCode;
  // At commit Prisma drops the code and keeps only this.
  if (kind === "TransactionWriteConflict") return serializationFailure;
  return sqlState(driverAdapterError) ?? sqlState(meta) ?? sqlState(cause);
}

/** Whether a mutation lost against another one, so that running it again may succeed. */
export function isConflict(error: unknown): boolean {
  if (error instanceof TRPCError && error.code === "CONFLICT") return isConflict(error.cause);
  const state = sqlState(error);
  const isPrismaConflict = error instanceof Error && "code" in error && error.code === "P2034";
  return isPrismaConflict || state === serializationFailure || state === deadlock;
}
