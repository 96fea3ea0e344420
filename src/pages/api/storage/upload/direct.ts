import { directUploadRoute } from "~/kit/next";

export default directUploadRoute;
export const config = { api: { bodyParser: false, externalResolver: true } };
