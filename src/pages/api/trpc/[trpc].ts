import { app } from "~/functions";
import { trpcRoute } from "~/kit/next";

export default trpcRoute(app);

export const config = {
  api: { bodyParser: false, responseLimit: false, externalResolver: true },
  /** Seconds that hosts with a time limit let a stream of changes last. */
  maxDuration: 300,
};
