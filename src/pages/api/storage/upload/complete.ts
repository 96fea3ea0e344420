import { toNodeHandler } from "~/server/http/node-adapter";
import { completeDirect } from "~/server/storage/direct/complete-direct";

export default toNodeHandler(completeDirect);
export const config = { api: { bodyParser: false, externalResolver: true } };
