import { completeUploadRoute } from "~/kit/storage";

export default completeUploadRoute;
export const config = { api: { bodyParser: false, externalResolver: true } };
