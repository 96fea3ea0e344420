import { fileRoute } from "~/kit/storage";

export default fileRoute;
export const config = { api: { bodyParser: false, responseLimit: false, externalResolver: true } };
