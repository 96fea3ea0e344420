import { toNodeHandler } from "~/server/http/node-adapter";
import { startDirect } from "~/server/storage/direct/start-direct";

export default toNodeHandler(startDirect);
export const config = { api: { bodyParser: false, externalResolver: true } };
