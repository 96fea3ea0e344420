import { setTimeout } from "node:timers/promises";
import { TRPCError } from "@trpc/server";
import { env } from "../process/env";
import { processWide } from "../process/process-wide";
import { sqlState } from "./sql-state";

const serializationFailure = "40001";
const deadlock = "40P01";
/** Attempts that run side by side with all others; those that lost as often run one after another. */
const attemptsAtOnce = 2;
/** Milliseconds of the longest pause between two attempts. */
const longestPause = 500;

/** The last of the losers that wait for their turn, by what they run. */
const turns = processWide("turns of losers", () => new Map<string, Promise<void>>());

/**
 * Runs `attempt` again while it loses serialization conflicts, with jittered pauses, until the time limit of a mutation
 * is over: then it throws `CONFLICT` with the last error as its cause. Whoever has lost twice waits until the others of
 * that name who have are through, so that each round has fewer who can lose.
 *
 * @param name what is attempted, as `messages.sendMessage`
 * @param attempt is told how many milliseconds are left
 */
export async function retryOnConflict<R>(name: string, attempt: (timeout: number) => Promise<R>): Promise<R> {
  const deadline = Date.now() + env.TRANSACTION_TIMEOUT;
  let endTurn: (() => void) | undefined;
  let lost: unknown;
  try {
    for (let tried = 1; ; tried++) {
      try {
        return await attempt(Math.max(1, deadline - Date.now()));
      } catch (error) {
        if (isConflict(error)) lost = error;
        else if (!lost || Date.now() < deadline) throw error;
        const left = deadline - Date.now();
        if (left <= 0) {
          const message = `Lost conflicts with other mutations for ${env.TRANSACTION_TIMEOUT / 1000} s; try again`;
          throw new TRPCError({ code: "CONFLICT", message, cause: lost });
        }
        await setTimeout(Math.min(left, longestPause, 10 * 2 ** tried) * Math.random());
        if (tried === attemptsAtOnce) endTurn = await turn(name, deadline);
      }
    }
  } finally {
    endTurn?.();
  }
}

/** Waits until all who asked before have had their turn, or `deadline` is over. Call what it returns to end one's own. */
async function turn(name: string, deadline: number): Promise<() => void> {
  let end: () => void = () => undefined;
  const before = turns.get(name) ?? Promise.resolve();
  const own = new Promise<void>((resolve) => {
    end = resolve;
  });
  const last = before.then(() => own);
  turns.set(name, last);
  void last.then(() => turns.get(name) === last && turns.delete(name));
  const timer = new AbortController();
  await Promise.race([
    before,
    setTimeout(Math.max(0, deadline - Date.now()), undefined, { signal: timer.signal }).catch(() => undefined),
  ]);
  timer.abort();
  return end;
}

export function isConflict(error: unknown): boolean {
  if (error instanceof TRPCError && error.code === "CONFLICT") return isConflict(error.cause);
  const state = sqlState(error);
  const isPrismaConflict = error instanceof Error && "code" in error && error.code === "P2034";
  return isPrismaConflict || state === serializationFailure || state === deadlock;
}
