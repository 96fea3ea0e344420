// Some SDKs ask a host of their company's whatever the environment says. These are answered by a stand-in instead.

/** @typedef {{ origin: string | URL, path: string }} Options */

const name = Symbol.for("undici.globalDispatcher.1");

/**
 * Sends what `fetch` asks some hosts to a stand-in. Returns what undoes it.
 *
 * @param {RegExp} hosts
 * @param {string} standInUrl
 * @param {string} [prefix] of the path there
 */
export function redirectHosts(hosts, standInUrl, prefix = "") {
  // Using fetch makes Node set up its dispatcher.
  fetch("data:,").catch(() => undefined);
  /** @type {Record<symbol, { dispatch: (options: Options, handler: object) => boolean } | undefined>} */
  const dispatchers = Object(globalThis);
  const original = dispatchers[name];
  if (!original) throw new Error("Node has no dispatcher to redirect");
  dispatchers[name] = {
    dispatch: (options, handler) => {
      const isTheirs = hosts.test(new URL(String(options.origin)).hostname);
      const redirected = isTheirs ? { ...options, origin: standInUrl, path: `${prefix}${options.path}` } : options;
      return original.dispatch(redirected, handler);
    },
  };
  return () => {
    dispatchers[name] = original;
  };
}
