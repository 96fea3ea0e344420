import { app } from "~/functions";
import { trpcRoute } from "~/kit/next";

const handler = trpcRoute(app);

export { handler as GET, handler as POST };

/** Seconds that hosts with a time limit let a stream of changes last. */
export const maxDuration = 300;
