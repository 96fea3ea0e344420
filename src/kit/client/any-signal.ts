/**
 * A signal that is aborted when the first of these is. `AbortSignal.any` does this too, in browsers that are newer than
 * those that Next.js supports.
 */
export function anySignal(...signals: (AbortSignal | null | undefined)[]): AbortSignal {
  const any = new AbortController();
  for (const signal of signals) {
    if (!signal) continue;
    if (signal.aborted) any.abort(signal.reason);
    // Forgotten with the first that is aborted.
    else signal.addEventListener("abort", () => any.abort(signal.reason), { once: true, signal: any.signal });
  }
  return any.signal;
}
