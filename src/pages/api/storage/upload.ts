import { uploadRoute } from "~/kit/storage";

export default uploadRoute;
export const config = { api: { bodyParser: false, responseLimit: false, externalResolver: true } };
