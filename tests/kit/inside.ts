// The parts of the kit beyond its entry points that tests of the demos use. These tests belong to the kit, too. An app's
// tests use ~/kit/testing.

export { allFunctions, isPublic } from "~/kit/functions/server-function";
export { flush, observeConsole } from "~/kit/log/function-log";
export { env } from "~/kit/process/env";
export { blobs } from "~/kit/storage/blobs";
export { collectGarbage } from "~/kit/storage/garbage-collection";
export { upload } from "~/kit/storage/upload";
