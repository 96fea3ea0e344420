import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";

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
 * Installs what package-lock.json says, unless it is there: npm keeps a list of what it installed in
 * node_modules/.package-lock.json. Imports Node's own modules only, since it runs before there are others.
 *
 * @param {object} [options]
 * @param {string} [options.root] of the checkout
 * @param {AbortSignal} [options.signal] ends npm
 * @throws when npm fails
 */
export async function install({ root = dirname(dirname(fileURLToPath(import.meta.url))), signal } = {}) {
  const manifest = await readJson(join(root, "package.json"));
  const locked = (await readJson(join(root, "package-lock.json")))?.packages;
  const installed = (await readJson(join(root, "node_modules", ".package-lock.json")))?.packages;
  const lockFits =
    isDeepStrictEqual(locked?.[""]?.dependencies ?? {}, manifest.dependencies ?? {}) &&
    isDeepStrictEqual(locked?.[""]?.devDependencies ?? {}, manifest.devDependencies ?? {});
  if (lockFits && installed && isInstalled(locked, installed)) return;

  const command = lockFits ? "ci" : "install";
  console.log(`Installing packages (npm ${command})`);
  // NODE_ENV=production would leave out what builds and checks the app.
  await npm([command, "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: root, signal });
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
 * Whether npm would install an optional package here. One that is not bound to a platform may be missing for reasons of
 * its own.
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
      else reject(new Error(`\`npm ${args.join(" ")}\` failed: see its message above. With a network, run it again.`));
    });
  });
}

/**
 * The command line for npm: inside `npm run`, the npm that runs us.
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
    throw new Error(`${path} cannot be read`, { cause: error });
  }
}
