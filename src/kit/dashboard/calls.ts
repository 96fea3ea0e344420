import { z } from "zod";
import { t } from "../functions/builders";
import { callStats, linesOfRequest, listCalls } from "../log/read-function-log";
import { liveProcedure } from "./admin-procedure";

/** Not live, because there are many calls, and viewing the log makes more. The page asks every second instead. */
const procedure = liveProcedure();
const text = z.string().max(200).optional();
const time = z.number().min(0).max(1e14);

export const calls = t.router({
  /** A page of calls, newest first. `after` limits it to later calls. */
  list: procedure
    .input(
      z.object({
        function: text,
        /** An error code, `ok`, `error` for every outcome except `ok`, or `failed` for the errors that are not refusals. */
        outcome: text,
        text,
        before: z.uuid().optional(),
        after: time.optional(),
        limit: z.int().min(1).max(200).default(100),
      }),
    )
    .query(({ input }) => listCalls(input)),

  /** The calls of one request, and all lines that they printed, oldest first. */
  request: procedure.input(z.object({ requestId: z.string().max(100) })).query(async ({ input: { requestId } }) => {
    const [{ calls }, lines] = await Promise.all([listCalls({ requestId, limit: 200 }), linesOfRequest(requestId)]);
    return { calls: calls.reverse(), lines: lines.map((line, number) => ({ ...line, number })) };
  }),

  /** Calls, errors and durations of one function, or of all functions, in spans of equal length that end now. */
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
      // The spans begin at whole minutes, because counts are kept by the minute.
      const to = Math.ceil(Date.now() / 60_000) * 60_000;
      return callStats({ function: name, from: to - hours * 3_600_000, to, buckets });
    }),
});
