import { completeUploadRoute } from "~/kit/next";

export default completeUploadRoute;
export const config = { api: { bodyParser: false, externalResolver: true } };
