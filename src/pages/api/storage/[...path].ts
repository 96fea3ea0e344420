import { fileRoute } from "~/kit/next";

export default fileRoute;
export const config = { api: { bodyParser: false, responseLimit: false, externalResolver: true } };
