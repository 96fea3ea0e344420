// What pages and components import in the browser.

export { AuthError, authClient } from "./client/auth-client";
// The components that the dashboard is made of, for pages that want to look the same.
export { Checkbox } from "./client/components/checkbox";
export { ConfirmDialog } from "./client/components/confirm-dialog";
export { DropHint } from "./client/components/drop-hint";
export { FileIcon } from "./client/components/file-icon";
export { formatBytes } from "./client/components/format-bytes";
export { Empty, Failed, Loading } from "./client/components/list-state";
export { ShortName } from "./client/components/short-name";
export { Timestamp } from "./client/components/timestamp";
export { FailedUploads, UploadList } from "./client/components/upload-list";
export { percent, UploadProgress } from "./client/components/upload-progress";
export { createClient } from "./client/create-client";
export { explainError } from "./client/explain-error";
export { useIsReconnecting } from "./client/live";
export { uploadFile } from "./client/upload";
export { explainAnswer, UploadError } from "./client/upload-error";
export { createUploadQueue, type Upload } from "./client/upload-queue";
export { useNearView } from "./client/use-near-view";
export { useArrivals } from "./client/use-outgoing";
export { confirmLeaving, type UploadOptions, useUploads } from "./client/use-uploads";
export { useViewer, type Viewer } from "./client/viewer";
