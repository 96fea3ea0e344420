/** `bytes=2-4` of 10 → `[2, 5]`: the first byte, and the one after the last. Stores answer one range. */
export function parseByteRange(header: string | undefined, size: number): [number, number] | "unsatisfiable" | null {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return null;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  return start < end ? [start, end] : "unsatisfiable";
}
