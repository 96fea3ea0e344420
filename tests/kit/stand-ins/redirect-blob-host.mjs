// The SDK reads blobs from a host of Vercel's whatever the environment says. A program started with
// `--import …/redirect-blob-host.mjs` reaches the stand-in at $BLOB_HOST_STAND_IN instead.

import { redirectHosts } from "./redirect-hosts.mjs";

/**
 * Returns what undoes it.
 *
 * @param {string} standInUrl
 */
export const redirectBlobHost = (standInUrl) =>
  redirectHosts(/\.private\.blob\.vercel-storage\.com$/, standInUrl, "/serve");

if (process.env.BLOB_HOST_STAND_IN) redirectBlobHost(process.env.BLOB_HOST_STAND_IN);
