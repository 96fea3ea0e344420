import { router } from "~/functions";
import { serveRouter } from "~/server/serve-router";

const handler = serveRouter(router);

export { handler as GET, handler as POST };
