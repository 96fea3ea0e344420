/**
 * Returns a signal that is aborted when the first of these is. `AbortSignal.any` does the same, but is missing in some of the
 * browsers that Next.js supports.
 */
export function anySignal(...signals: (AbortSignal | null | undefined)[]): AbortSignal {
  const any = new AbortController();
  for (const signal of signals) {
    if (!signal) continue;
    if (signal.aborted) any.abort(signal.reason);
    // All listeners are removed when the first signal is aborted.
    else signal.addEventListener("abort", () => any.abort(signal.reason), { once: true, signal: any.signal });
  }
  return any.signal;
}
