import { z } from "zod";
import { examine } from "../doctor/doctor";
import { t } from "../functions/builders";
import { liveProcedure } from "./admin-procedure";

export const health = t.router({
  /** Examines what the app depends on. Not live, because this takes some seconds. */
  examine: liveProcedure()
    .input(z.object({ throughProxy: z.boolean().default(true) }))
    .query(({ ctx, input }) => examine({ origin: ctx.origin, headers: ctx.headers, ...input })),
});
