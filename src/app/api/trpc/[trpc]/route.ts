import { app } from "~/functions";
import { trpcRoute } from "~/kit/next";

const handler = trpcRoute(app);

export { handler as GET, handler as POST };

/** In seconds. Hosts with a time limit end a stream of changes after this time. */
export const maxDuration = 300;
