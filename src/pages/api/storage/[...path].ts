import { toNodeHandler } from "~/server/http/node-adapter";
import { serve } from "~/server/storage/serve/serve";

export default toNodeHandler(serve);
export const config = { api: { bodyParser: false, responseLimit: false, externalResolver: true } };
