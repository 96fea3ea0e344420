import { tracked } from "@trpc/server";
import { z } from "zod";
import { t } from "../trpc";
import { changesSince } from "./change-log";

/** Milliseconds a stream lasts where functions have a time limit; the browser then opens the next. */
const lifetime = process.env.VERCEL === "1" ? 240_000 : null;

/** For the browser: the tables that change, or `null` when any may have, after the last event it knows of. */
export const changes = t.procedure
  .input(z.object({ lastEventId: z.string().max(100).nullish() }).optional())
  .subscription(async function* ({ input, signal = new AbortController().signal }) {
    const end = lifetime ? AbortSignal.any([signal, AbortSignal.timeout(lifetime)]) : signal;
    for await (const { position, tables } of changesSince(input?.lastEventId ?? null, end)) {
      yield tracked(position, tables);
    }
  });
