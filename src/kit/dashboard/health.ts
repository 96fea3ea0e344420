import { z } from "zod";
import { examine } from "../doctor/doctor";
import { t } from "../functions/builders";
import { liveProcedure } from "./admin-procedure";

export const health = t.router({
  /** What the app depends on, and what is wrong with it. Not live, since it takes some seconds. */
  examine: liveProcedure()
    .input(z.object({ throughProxy: z.boolean().default(true) }))
    .query(({ ctx, input }) => examine({ origin: ctx.origin, headers: ctx.headers, ...input })),
});
