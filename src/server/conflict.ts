import { setTimeout } from "node:timers/promises";
import { TRPCError } from "@trpc/server";
import { sqlState } from "./sql-state";

const attempts = 5;
const serializationFailure = "40001";
const deadlock = "40P01";

/**
 * Runs `attempt` again while it loses serialization conflicts, at most 5 times in all (SPEC §1), with jittered pauses
 * of up to 20 to 160 ms. Then throws `CONFLICT` with the last error as its cause.
 */
export async function retryOnConflict<R>(attempt: () => Promise<R>): Promise<R> {
  for (let tried = 1; ; tried++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (tried === attempts) {
        const message = `Lost a conflict with other mutations ${attempts} times; try again`;
        throw new TRPCError({ code: "CONFLICT", message, cause: error });
      }
      await setTimeout(10 * 2 ** tried * Math.random());
    }
  }
}

export function isConflict(error: unknown): boolean {
  if (error instanceof TRPCError && error.code === "CONFLICT") return isConflict(error.cause);
  const state = sqlState(error);
  const isPrismaConflict = error instanceof Error && "code" in error && error.code === "P2034";
  return isPrismaConflict || state === serializationFailure || state === deadlock;
}
