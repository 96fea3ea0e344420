import { toNodeHandler } from "~/server/http/node-adapter";
import { upload } from "~/server/storage/upload/upload";

export default toNodeHandler(upload);
export const config = { api: { bodyParser: false, responseLimit: false, externalResolver: true } };
