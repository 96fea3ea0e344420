/** `1234.5` milliseconds → `"1.2 s"`, `12.34` → `"12 ms"`, `0.56` → `"0.6 ms"` */
export function formatDuration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${milliseconds.toFixed(milliseconds >= 10 ? 0 : 1)} ms`;
}
