import { handleFile } from "../../file-handler.mjs";

export default handleFile;
export const config = { api: { bodyParser: false, responseLimit: false, externalResolver: true } };
