import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { ROOT } from "./checkout.mjs";
import { takeLock } from "./processes.mjs";

/**
 * @typedef {object} LockedPackage
 * @property {string} [version]
 * @property {boolean} [optional]
 * @property {boolean} [devOptional]
 * @property {string[]} [os]
 * @property {string[]} [cpu]
 * @property {string[]} [libc]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [devDependencies]
 */

/**
 * Exits when Node.js is too old, or when another package manager runs this script: it would ignore npm's lock file and
 * install other versions. Runs before the installation, which would fail with less helpful messages.
 */
export function refuseUnsupported() {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    refuse(`This project needs Node.js 20.19 or later, and this is ${node}. Install it from https://nodejs.org.`);
  }
  const [manager] = (process.env.npm_config_user_agent ?? "npm").split("/");
  if (manager !== "npm") refuse(`This project uses npm and its lock file, not ${manager}. Run: npm run dev`);
}

/** @param {string} reason */
function refuse(reason) {
  console.error(reason);
  process.exit(1);
}

/**
 * Installs the packages of package-lock.json, unless they are installed: npm lists what it installed in
 * node_modules/.package-lock.json. Waits while another command installs them, such as `npm run dev` beside `npm test`.
 * This file imports only Node's own modules, because it runs before others exist.
 *
 * @param {object} [options]
 * @param {string} [options.root] of the checkout
 * @param {AbortSignal} [options.signal] ends npm
 * @throws when npm fails
 */
export async function install({ root = ROOT, signal } = {}) {
  if (!(await missing(root))) return;
  const lock = join(root, ".data", "install.lock");
  for (let isFirst = true; !(await takeLock(lock)); isFirst = false) {
    if (isFirst) console.log("Waiting for another command, which installs packages");
    await sleep(200, undefined, { signal });
  }
  try {
    const command = await missing(root);
    if (!command) return;
    console.log(`Installing packages (npm ${command})`);
    // With NODE_ENV=production, npm would skip the packages that build and check the app.
    await npm([command, "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: root, signal });
  } finally {
    await rm(lock, { force: true });
  }
}

/**
 * The command of npm that installs what is missing, or `null`.
 *
 * @param {string} root
 */
async function missing(root) {
  const manifest = await readJson(join(root, "package.json"));
  const locked = (await readJson(join(root, "package-lock.json")))?.packages;
  const installed = (await readJson(join(root, "node_modules", ".package-lock.json")))?.packages;
  const lockFits =
    isDeepStrictEqual(locked?.[""]?.dependencies ?? {}, manifest.dependencies ?? {}) &&
    isDeepStrictEqual(locked?.[""]?.devDependencies ?? {}, manifest.devDependencies ?? {});
  if (lockFits && installed && isInstalled(locked, installed)) return null;
  return lockFits ? "ci" : "install";
}

/**
 * @param {Record<string, LockedPackage>} locked
 * @param {Record<string, LockedPackage>} installed
 */
function isInstalled(locked, installed) {
  return Object.entries(locked).every(([path, entry]) => {
    const found = installed[path];
    if (found || !path.startsWith("node_modules/")) return !found || found.version === entry.version;
    return (entry.optional || entry.devOptional) && !fitsPlatform(entry);
  });
}

/**
 * Whether npm would install an optional package on this platform. Returns false when the package names no platform: it may
 * be missing for other reasons.
 *
 * @param {LockedPackage} entry
 */
function fitsPlatform({ os, cpu, libc }) {
  if (!os || libc) return false;
  return os.includes(process.platform) && (cpu?.includes(process.arch) ?? true);
}

/**
 * @param {string[]} args
 * @param {{ cwd: string, signal?: AbortSignal }} options
 * @returns {Promise<void>}
 */
function npm(args, options) {
  const [command, ...all] = npmCommand(args);
  return new Promise((resolve, reject) => {
    const child = spawn(command, all, { ...options, stdio: "inherit", shell: command.endsWith(".cmd") });
    child.on("error", reject).on("exit", (code) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(
            `\`npm ${args.join(" ")}\` failed. Its message is above. Check the network connection, then run it again.`,
          ),
        );
    });
  });
}

/**
 * The command line for npm. Inside `npm run`, this is the npm that runs the script.
 *
 * @param {string[]} args
 * @returns {[string, ...string[]]}
 */
export function npmCommand(args) {
  const running = process.env.npm_execpath;
  if (running?.endsWith("npm-cli.js")) return [process.execPath, running, ...args];
  return [process.platform === "win32" ? "npm.cmd" : "npm", ...args];
}

/** @param {string} path */
async function readJson(path) {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw new Error(`${path} cannot be read.`, { cause: error });
  }
}
