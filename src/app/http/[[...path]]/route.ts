import { http } from "~/functions";
import { serveHttp } from "~/server/http/serve-http";

const handler = serveHttp(http);

export {
  handler as DELETE,
  handler as GET,
  handler as HEAD,
  handler as OPTIONS,
  handler as PATCH,
  handler as POST,
  handler as PUT,
};
