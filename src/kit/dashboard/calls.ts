import { z } from "zod";
import { t } from "../functions/builders";
import { callStats, linesOfRequest, listCalls } from "../log/read-function-log";
import { liveProcedure } from "./admin-procedure";

/** Not live: calls are many, and looking at them is one too. Whoever watches asks every second. */
const procedure = liveProcedure();
const text = z.string().max(200).optional();
const time = z.number().min(0).max(1e14);

export const calls = t.router({
  /** A page of calls, newest first; `after` is for those since. */
  list: procedure
    .input(
      z.object({
        function: text,
        /** A code, `ok`, `error` for all else, or `failed` for those that were no refusals. */
        outcome: text,
        text,
        before: z.uuid().optional(),
        after: time.optional(),
        limit: z.int().min(1).max(200).default(100),
      }),
    )
    .query(({ input }) => listCalls(input)),

  /** The calls of one request, and all that they printed, oldest first. */
  request: procedure.input(z.object({ requestId: z.string().max(100) })).query(async ({ input: { requestId } }) => {
    const [{ calls }, lines] = await Promise.all([listCalls({ requestId, limit: 200 }), linesOfRequest(requestId)]);
    return { calls: calls.reverse(), lines: lines.map((line, number) => ({ ...line, number })) };
  }),

  /** Calls, errors and durations of a function, or of all, in spans of equal length until now. */
  stats: procedure
    .input(
      z.object({
        function: text,
        hours: z
          .int()
          .min(1)
          .max(24 * 30),
        buckets: z.int().min(1).max(200),
      }),
    )
    .query(({ input: { function: name, hours, buckets } }) => {
      // The spans begin at whole minutes, which are what is counted.
      const to = Math.ceil(Date.now() / 60_000) * 60_000;
      return callStats({ function: name, from: to - hours * 3_600_000, to, buckets });
    }),
});
