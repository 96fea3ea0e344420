import { uploadRoute } from "~/kit/next";

export default uploadRoute;
export const config = { api: { bodyParser: false, responseLimit: false, externalResolver: true } };
