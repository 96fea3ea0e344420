// What tests of the demos see of the kit beyond its entry points. They are the kit's tests, too. An app's tests have ~/kit/testing.

export { allFunctions, isPublic } from "~/kit/functions/server-function";
export { flush, observeConsole } from "~/kit/log/function-log";
export { env } from "~/kit/process/env";
export { blobs } from "~/kit/storage/blobs";
export { collectGarbage } from "~/kit/storage/garbage-collection";
export { upload } from "~/kit/storage/upload";
