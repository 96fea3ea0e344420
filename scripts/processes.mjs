import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

/**
 * Identifies a running process by its start time and command line, or returns null when there is none. The system reuses
 * pids, so a pid read from a file refers to the same process only while this text is the same.
 *
 * @param {number} pid
 * @returns {Promise<string | null>}
 */
export async function identify(pid) {
  try {
    if (process.platform === "linux") return await identifyOnLinux(pid);
    const query = `Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}' | ForEach-Object { "$($_.CreationDate) $($_.CommandLine)" }`;
    const [program, ...args] =
      process.platform === "win32"
        ? ["powershell", "-NoProfile", "-Command", query]
        : ["ps", "-ww", "-o", "lstart=,command=", "-p", String(pid)];
    const { stdout } = await promisify(execFile)(program, args);
    return stdout.trim() || null;
  } catch {
    return null; // There is no such process, or it ended while we looked.
  }
}

/** Reads /proc, because minimal images have no `ps`. @param {number} pid */
async function identifyOnLinux(pid) {
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8");
  const started = statOf(pid)[19];
  // A zombie has no command.
  return command ? `${started} ${command.replaceAll("\0", " ").trim()}` : null;
}

/**
 * The fields of /proc/<pid>/stat from the third on. The second, the name, may contain spaces and parentheses.
 *
 * @param {number} pid
 */
function statOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/**
 * Calls back once when the npm that runs this script was killed. Nothing else would stop the script then.
 *
 * @param {() => void} callback
 */
export async function whenNpmIsGone(callback) {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  // On Linux, a shell may stay between npm and this script. Elsewhere the shell replaces itself by the script.
  const shell = process.platform === "linux" && (await identify(parent))?.includes(" -c ") ? parent : null;
  const npm = shell && parentOf(shell);
  const timer = setInterval(() => {
    if (process.ppid === parent && (!shell || parentOf(shell) === npm)) return;
    clearInterval(timer);
    callback();
  }, 1000).unref();
}

/** @param {number} pid */
function parentOf(pid) {
  try {
    return statOf(pid)[1];
  } catch {
    return null; // The process has ended.
  }
}

/**
 * Kills a process and its group, and waits until they are gone and their ports are free.
 *
 * @param {number} pid of the group's leader
 */
export async function killGroup(pid) {
  try {
    const group = process.platform === "win32" ? pid : -pid;
    for (let attempt = 0; attempt < 50; attempt++) {
      process.kill(group, "SIGKILL");
      await sleep(20);
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** @typedef {{ pid: number, identity: string | null }} Process */
/** @typedef {{ owner: Process, address: string, app?: Process }} Lock */

/**
 * Lets one `npm run dev` run at a time. If the owner of the lock was killed, this takes the lock over and kills the app
 * that the owner left behind.
 *
 * @param {string} path of the lock file
 * @param {string} address the app will have
 * @returns {Promise<{ setApp: (pid: number) => Promise<void>, release: () => void }>}
 * @throws when another one runs, naming it
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
        `Already running: process ${other.owner.pid} serves ${other.address}. Stop it with Ctrl-C in its terminal.`,
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
 * Takes a lock that this process keeps until it removes the file or ends.
 *
 * @param {string} path of the lock file
 * @returns {Promise<boolean>} `false` while another process has it
 */
export async function takeLock(path) {
  mkdirSync(dirname(path), { recursive: true });
  const lock = JSON.stringify({ owner: await describeProcess(process.pid) });
  try {
    writeFileSync(path, lock, { flag: "wx" });
    return true;
  } catch {
    const other = readLock(path);
    if (other && (await isRunning(other.owner))) return false;
    rmSync(path, { force: true });
    return takeLock(path);
  }
}

/** @param {string} path */
function readLock(path) {
  try {
    return /** @type {Lock} */ (JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null; // The process that wrote it was killed while it wrote.
  }
}

/** @param {number} pid @returns {Promise<Process>} */
const describeProcess = async (pid) => ({ pid, identity: await identify(pid) });

/** @param {Process} recorded */
const isRunning = async ({ pid, identity }) => identity !== null && (await identify(pid)) === identity;
