// Pages and components import this in the browser.

export { useDevices, useWaysToSignIn } from "./client/account";
export { AuthError, authClient } from "./client/auth-client";
// The components of the dashboard, for pages that should look the same.
export { Checkbox, ConfirmDialog } from "./client/components/controls";
export { CurrentPassword, Field, Form, NewPassword } from "./client/components/form";
export { DropHint, Empty, ErrorText, Failed, Loading, MoreRows } from "./client/components/lists";
export { Menu, type MenuState } from "./client/components/menu";
export { StorageImage } from "./client/components/storage-image";
export { FailedUploads, percent, UnfinishedUploads, UploadList, UploadProgress } from "./client/components/upload-list";
export { useMenu } from "./client/components/use-menu";
export { FileIcon, formatBytes, ShortName, Timestamp } from "./client/components/values";
export { createClient } from "./client/create-client";
export { deferred } from "./client/deferred";
export { useFileInput } from "./client/file-input";
export { confirmLeaving, loadPage } from "./client/leaving";
export { useIsReconnecting } from "./client/live-queries";
export { uploadFile } from "./client/upload";
export { createUploadQueue, type Upload } from "./client/upload-queue";
export { explainAnswer, UploadError } from "./client/upload-request";
export {
  type UploadOptions,
  useArrivals,
  useUploads,
} from "./client/use-uploads";
export { explainError, useViewer, type Viewer } from "./client/viewer";
export type { Id } from "./database/ids";
