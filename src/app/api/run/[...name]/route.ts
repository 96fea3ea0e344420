import { app } from "~/functions";
import { plainJsonRoute } from "~/kit/next";

const handler = plainJsonRoute(app);

export { handler as DELETE, handler as GET, handler as PATCH, handler as POST, handler as PUT };

/** Seconds that hosts with a time limit let an action take. */
export const maxDuration = 300;
