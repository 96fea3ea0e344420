import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identify } from "./process-identity.mjs";

/** @typedef {{ pid: number, identity: string | null }} Process */
/** @typedef {{ owner: Process, address: string, app?: Process }} Lock */

/**
 * Lets one `npm run dev` run at a time. A lock whose owner was killed is taken over, and the app it left behind ended.
 *
 * @param {string} path of the lock file
 * @param {string} address the app will have
 * @returns {Promise<{ setApp: (pid: number) => Promise<void>, release: () => void }>}
 * @throws when one runs, naming it
 */
export async function takeDevLock(path, address) {
  mkdirSync(dirname(path), { recursive: true });
  /** @type {Lock} */
  const lock = { owner: await describeProcess(process.pid), address };
  const write = (/** @type {string} */ flag) => writeFileSync(path, JSON.stringify(lock), { flag });
  try {
    write("wx");
  } catch {
    const other = readLock(path);
    if (other && (await isRunning(other.owner))) {
      throw new Error(
        `Already running: process ${other.owner.pid} serves ${other.address}. Stop it first, with Ctrl-C there.`,
      );
    }
    if (other?.app && (await isRunning(other.app))) await killGroup(other.app.pid);
    write("w");
  }
  return {
    setApp: async (pid) => {
      lock.app = await describeProcess(pid);
      write("w");
    },
    release: () => rmSync(path, { force: true }),
  };
}

/**
 * Ends what is left of a process group, at once.
 *
 * @param {number} pid of its leader
 */
export async function killGroup(pid) {
  try {
    const group = process.platform === "win32" ? pid : -pid;
    // Signalling fails once nobody is left, whose ports are free then.
    for (let attempt = 0; attempt < 50; attempt++) {
      process.kill(group, "SIGKILL");
      await sleep(20);
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** @param {string} path */
function readLock(path) {
  try {
    return /** @type {Lock} */ (JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null; // its writer was killed halfway
  }
}

/**
 * @param {number} pid
 * @returns {Promise<Process>}
 */
async function describeProcess(pid) {
  return { pid, identity: await identify(pid) };
}

/** @param {Process} recorded */
async function isRunning({ pid, identity }) {
  return identity !== null && (await identify(pid)) === identity;
}
