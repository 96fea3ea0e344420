import { tracked } from "@trpc/server";
import { z } from "zod";
import { t } from "../trpc";
import { changesSince } from "./change-log";

/**
 * For the browser: the tables that change, or `null` when any may have, after the last event it knows of. Over HTTP
 * `serveChanges` answers for it.
 */
export const changes = t.procedure
  .input(z.object({ lastEventId: z.string().nullish() }))
  .subscription(async function* ({ input, signal = new AbortController().signal }) {
    for await (const change of changesSince(input.lastEventId ?? null, signal)) {
      if (change) yield tracked(change.position, change.tables);
    }
  });
