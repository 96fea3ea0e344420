// What pages and components import in the browser.

export { AuthError, authClient } from "./client/auth-client";
export { createClient } from "./client/create-client";
export { explainError } from "./client/explain-error";
export { useIsReconnecting } from "./client/live";
export { uploadFile } from "./client/upload";
export { explainAnswer, UploadError } from "./client/upload-error";
export { createUploadQueue, type Upload } from "./client/upload-queue";
export { useNearView } from "./client/use-near-view";
export { useArrivals, useOutgoing } from "./client/use-outgoing";
export { confirmLeaving, useUploads } from "./client/use-uploads";
export { useViewer, type Viewer } from "./client/viewer";
