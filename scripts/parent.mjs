import { readFileSync } from "node:fs";
import { identify } from "./process-identity.mjs";

/**
 * Calls back once when the npm that runs this script is gone, killed: nobody could stop us then but the next start.
 *
 * @param {() => void} callback
 */
export async function whenNpmIsGone(callback) {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  // Some shells stay between npm and us.
  const shell = (await identify(parent))?.includes(" -c ") ? parent : null;
  const npm = shell && parentOf(shell);
  const timer = setInterval(() => {
    if (process.ppid === parent && (!shell || parentOf(shell) === npm)) return;
    clearInterval(timer);
    callback();
  }, 1000).unref();
}

/** @param {number} pid */
function parentOf(pid) {
  if (process.platform !== "linux") return null; // the shells of the others make way
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
  } catch {
    return null; // gone
  }
}
