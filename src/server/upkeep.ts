import { internalAction } from "./builders";
import { pruneCalls } from "./calls/prune-calls";
import { register } from "./registry";
import { forgetOld } from "./scheduler/jobs";
import { sweep } from "./storage/sweep";
import { previewSweep } from "./storage/sweep-preview";
import { foldTotals } from "./storage/totals";

/** Collects files that nothing refers to, deletes bytes that nothing owns, and forgets jobs and calls that ended long ago. */
export const upkeep = internalAction({
  handler: async () => {
    const swept = await sweep();
    await foldTotals();
    return { ...swept, jobs: await forgetOld(), calls: await pruneCalls() };
  },
});

/** Finds out what the next sweep would remove: a job, because it looks at every file. */
export const preview = internalAction({ handler: previewSweep });

register("_kit", { upkeep, preview });
