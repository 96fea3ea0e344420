import { app } from "~/functions";
import { httpRoute } from "~/kit/next";

const handler = httpRoute(app);

export {
  handler as DELETE,
  handler as GET,
  handler as HEAD,
  handler as OPTIONS,
  handler as PATCH,
  handler as POST,
  handler as PUT,
};
