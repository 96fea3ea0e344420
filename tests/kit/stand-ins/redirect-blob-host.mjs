// The SDK reads blobs from a host of Vercel's whatever the environment says. A program started with
// `--import …/redirect-blob-host.mjs` reaches the stand-in at $BLOB_HOST_STAND_IN instead.

/** @typedef {{ origin: string | URL, path: string }} Options */

const name = Symbol.for("undici.globalDispatcher.1");

/**
 * Returns what undoes it.
 *
 * @param {string} standInUrl
 */
export function redirectBlobHost(standInUrl) {
  // Using fetch makes Node set up its dispatcher.
  fetch("data:,").catch(() => undefined);
  /** @type {Record<symbol, { dispatch: (options: Options, handler: object) => boolean } | undefined>} */
  const dispatchers = Object(globalThis);
  const original = dispatchers[name];
  if (!original) throw new Error("Node has no dispatcher to redirect");
  dispatchers[name] = {
    dispatch: (options, handler) => {
      const isBlob = new URL(String(options.origin)).hostname.endsWith(".private.blob.vercel-storage.com");
      const redirected = isBlob ? { ...options, origin: standInUrl, path: `/serve${options.path}` } : options;
      return original.dispatch(redirected, handler);
    },
  };
  return () => {
    dispatchers[name] = original;
  };
}

if (process.env.BLOB_HOST_STAND_IN) redirectBlobHost(process.env.BLOB_HOST_STAND_IN);
