import { TRPCError, type TrackedEnvelope } from "@trpc/server";
import { z } from "zod";
import { t } from "../functions/trpc";

/**
 * For the browser: the tables that change, or `null` when any may have, after the last event it knows of. Only its type is
 * used: `serveChanges` answers for it at its one address, and bounds the streams. Any other way to it ends here.
 */
export const changes = t.procedure
  .input(z.object({ lastEventId: z.string().nullish() }))
  .subscription((): AsyncIterable<TrackedEnvelope<string[] | null>> => {
    throw new TRPCError({ code: "NOT_FOUND", message: "Changes are streamed at /api/trpc/_kit.changes alone." });
  });
