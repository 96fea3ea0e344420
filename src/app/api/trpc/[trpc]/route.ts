import { router } from "~/functions";
import { serveRouter } from "~/server/serve-router";

const handler = serveRouter(router);

export { handler as GET, handler as POST };

/** Seconds that hosts with a time limit let a stream of changes last. */
export const maxDuration = 300;
