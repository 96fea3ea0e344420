import { TRPCError } from "@trpc/server";
import { processWide } from "../process/process-wide";

/**
 * The database could not be reached, or went away under a statement; trying again later may work. Only the kit throws
 * it, where it talks to the database: an error that a function throws is never one, whatever its text or its cause.
 */
export const DatabaseUnavailable = processWide(
  "DatabaseUnavailable",
  () =>
    class DatabaseUnavailable extends Error {
      override name = "DatabaseUnavailable";
      /** What the driver failed with. Not the `cause`: the pool has logged it, once, with the name of the host. */
      readonly reason: unknown;

      constructor(reason: unknown) {
        super("The database does not answer now; try again in a moment");
        Object.defineProperty(this, "reason", { value: reason, enumerable: false });
        // Where it was noticed helps nobody, and while the database is away every request notices.
        this.stack = `${this.name}: ${this.message}`;
      }
    },
);
export type DatabaseUnavailable = InstanceType<typeof DatabaseUnavailable>;

/** Seconds after which whoever was refused may try again. */
export const retryAfter = 1;

/** What the caller is told: 503 when the database could not be reached; any other error stays as it is. */
export const asAnswer = (error: unknown): unknown =>
  error instanceof DatabaseUnavailable
    ? new TRPCError({ code: "SERVICE_UNAVAILABLE", message: error.message, cause: error })
    : error;
