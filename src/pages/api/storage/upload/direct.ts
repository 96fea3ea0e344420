import { directUploadRoute } from "~/kit/storage";

export default directUploadRoute;
export const config = { api: { bodyParser: false, externalResolver: true } };
