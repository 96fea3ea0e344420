import { internalAction } from "./builders";
import { register } from "./registry";
import { forgetOld } from "./scheduler/jobs";
import { sweep } from "./storage/sweep";

/** Collects files that nothing refers to, deletes bytes that nothing owns, and forgets jobs that ended a week ago. */
export const upkeep = internalAction({
  handler: async () => {
    const swept = await sweep();
    return { ...swept, jobs: await forgetOld() };
  },
});

register("_kit", { upkeep });
