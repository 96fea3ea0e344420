import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { commandOf } from "./checkout.mjs";

const run = promisify(execFile);

const SYSTEM_BROWSERS = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/opt/google/chrome/chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

const SHELL = "/usr/bin/chromium-headless-shell";

const [isDebian, isRoot] = [existsSync("/usr/bin/apt-get"), process.getuid?.() === 0];

/**
 * Installs browsers when it runs as root on Debian: Chromium if there is no browser, and always the headless shell, which is
 * the same engine without windows and opens a page in a third of the time. Needs no npm packages, so it can run while npm
 * installs them. Never rejects: `findBrowsers` reports a missing browser.
 */
export async function installDebianBrowsers() {
  if (process.env.CHROMIUM_PATH || !isDebian || !isRoot) return;
  /** @type {string[]} */
  const missing = [];
  if (!hasPlaywrightBrowser() && !(await firstThatWorks(SYSTEM_BROWSERS))) missing.push("chromium", "fonts-liberation");
  if (!(await works(SHELL))) missing.push("chromium-headless-shell");
  if (missing.length === 0) return;
  await attempt(`Installing a browser (apt-get install ${missing.join(" ")})`, async () => {
    const options = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, maxBuffer: 64 * 1024 * 1024 };
    await run("apt-get", ["update"], options);
    for (const name of missing) await run("apt-get", ["install", "-y", "--no-install-recommends", name], options);
  });
}

/** Accepts any version, because Playwright, which knows its own version, may not be installed yet. */
function hasPlaywrightBrowser() {
  const folder = process.env.PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), ".cache", "ms-playwright");
  return existsSync(folder) && readdirSync(folder).some((name) => name.startsWith("chromium-"));
}

/**
 * Finds a Chromium for the browser tests: the one that `CHROMIUM_PATH` names, else Playwright's own, else the system's.
 * Where there is none, it installs Playwright's. The headless shell stands in for it where it is there.
 *
 * @returns {Promise<{ CHROMIUM_PATH: string, HEADLESS_SHELL_PATH: string }>} the programs, as the browser tests read them
 * @throws with the command to run where no browser can be had
 */
export async function findBrowsers() {
  const chosen = process.env.CHROMIUM_PATH;
  if (chosen && !(await works(chosen)))
    throw new Error(`CHROMIUM_PATH is "${chosen}", which cannot be run. Correct or unset it.`);
  if (chosen) return { CHROMIUM_PATH: chosen, HEADLESS_SHELL_PATH: process.env.HEADLESS_SHELL_PATH ?? chosen };

  const { chromium } = await import("@playwright/test");
  const browsers = [chromium.executablePath(), ...SYSTEM_BROWSERS];
  if (!(await firstThatWorks(browsers))) {
    await attempt("Downloading a browser (playwright install chromium)", async () => {
      // In milliseconds, for each of five attempts. A blocked download must not take minutes.
      const env = { ...process.env, PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT: "5000" };
      const command = [commandOf("@playwright/test", "playwright"), "install", "--no-shell", "chromium"];
      await run(process.execPath, command, { env });
    });
  }
  const browser = await firstThatWorks(browsers);
  if (browser) return { CHROMIUM_PATH: browser, HEADLESS_SHELL_PATH: (await works(SHELL)) ? SHELL : browser };
  const command = isDebian
    ? `${isRoot ? "" : "sudo "}apt-get install -y chromium`
    : "npx playwright install --with-deps chromium";
  throw new Error(`There is no browser for the browser tests, and installing one failed. Run: ${command}`);
}

/** @param {string[]} paths */
async function firstThatWorks(paths) {
  for (const path of paths) if (await works(path)) return path;
  return null;
}

/**
 * Whether a browser exists and finds its libraries.
 *
 * @param {string} path
 */
async function works(path) {
  if (!existsSync(path)) return false;
  if (process.platform === "win32") return true; // With --version, it would open a window.
  return run(path, ["--version"], { timeout: 30_000 }).then(
    () => true,
    () => false,
  );
}

/**
 * @param {string} what
 * @param {() => Promise<void>} action
 */
async function attempt(what, action) {
  console.log(what);
  await action().catch((error) => {
    const lines = String(error.stderr || error.message)
      .trim()
      .split("\n");
    console.log(`  failed: ${lines.find((line) => /^(Error|E): /.test(line)) ?? lines.at(-1)}`);
  });
}
