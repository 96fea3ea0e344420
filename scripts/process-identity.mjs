import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/**
 * Says which process a pid stands for: the time it started and its command line, or null when there is none. Pids are
 * used again, so a pid read from a file means something only while this text is what it was (or what it must be).
 *
 * @param {number} pid
 * @returns {Promise<string | null>}
 */
export async function identify(pid) {
  try {
    if (process.platform === "linux") return await fromProc(pid);
    const [program, ...args] =
      process.platform === "win32"
        ? ["powershell", "-NoProfile", "-Command", windowsQuery(pid)]
        : ["ps", "-ww", "-o", "lstart=,command=", "-p", String(pid)];
    const { stdout } = await promisify(execFile)(program, args);
    return stdout.trim() || null;
  } catch {
    return null; // no such process, or one that ended while we looked
  }
}

/** @param {number} pid */
async function fromProc(pid) {
  const [stat, command] = await Promise.all([
    readFile(`/proc/${pid}/stat`, "utf8"),
    readFile(`/proc/${pid}/cmdline`, "utf8"),
  ]);
  // The second field, the name, may hold spaces and parentheses; the start time is the 22nd. A zombie has no command.
  const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return command ? `${started} ${command.replaceAll("\0", " ").trim()}` : null;
}

/** @param {number} pid */
function windowsQuery(pid) {
  return `Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}' | ForEach-Object { "$($_.CreationDate) $($_.CommandLine)" }`;
}
