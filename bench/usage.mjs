import { readFile } from "node:fs/promises";

/** What a process uses is read from /proc, which only Linux has. */
export const usageIsKnown = process.platform === "linux";

/** @param {number} pid @param {"VmRSS" | "VmHWM"} field @returns {Promise<number>} MiB */
export async function memoryOf(pid, field) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s*(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
}

/** @param {number} pid @returns {Promise<number>} seconds of processor time so far */
export async function processorTimeOf(pid) {
  // The name, in parentheses, may have spaces. User and system time are the 14th and 15th field, in hundredths.
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
