// The route files in src/pages/api/storage import this. It is separate from ~/kit/next, so that serving a file loads no functions.

import { toNodeHandler } from "./http/node-adapter";
import { completeDirect, startDirect } from "./storage/direct-upload";
import { serve } from "./storage/serve";
import { takeUpload } from "./storage/tus";

/** `src/pages/api/storage/upload.ts`: takes files, in one request or in several. */
export const uploadRoute = toNodeHandler(takeUpload);
/** `src/pages/api/storage/upload/direct.ts`: begins uploads that go straight to the store. */
export const directUploadRoute = toNodeHandler(startDirect);
/** `src/pages/api/storage/upload/complete.ts`: completes them. */
export const completeUploadRoute = toNodeHandler(completeDirect);
/** `src/pages/api/storage/[...path].ts`: serves files. */
export const fileRoute = toNodeHandler(serve);
