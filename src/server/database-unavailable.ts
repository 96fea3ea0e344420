import { TRPCError } from "@trpc/server";

/**
 * The database could not be reached, or went away under a statement; trying again later may work. Only the kit throws
 * it, at its own statements: an error that a function throws is never one, whatever its text or its cause.
 */
export class DatabaseUnavailable extends TRPCError {
  constructor(cause: unknown) {
    super({ code: "SERVICE_UNAVAILABLE", message: "The database does not answer now; try again in a moment", cause });
  }
}
