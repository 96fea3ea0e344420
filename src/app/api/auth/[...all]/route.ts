import { app } from "~/functions";
import { authRoute } from "~/kit/next";

const handler = authRoute(app);

export { handler as GET, handler as POST };
