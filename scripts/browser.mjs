import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { chromium } from "@playwright/test";
import { commandOf } from "./checkout.mjs";

const run = promisify(execFile);

const INSTALLED = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/opt/google/chrome/chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/**
 * Finds a Chromium for the browser tests: the one that `CHROMIUM_PATH` names, else Playwright's own, else the system's.
 * Where there is none, it installs Playwright's, or as root Debian's.
 *
 * @returns {Promise<string>} the path of the program
 * @throws with the command to run where none can be had
 */
export async function findBrowser() {
  const chosen = process.env.CHROMIUM_PATH;
  if (chosen && !(await works(chosen)))
    throw new Error(`CHROMIUM_PATH is "${chosen}", which cannot be run. Unset or correct it.`);
  if (chosen) return chosen;

  const found = await firstThatWorks();
  if (found) return found;

  const [debian, root] = [existsSync("/usr/bin/apt-get"), process.getuid?.() === 0];
  await attempt("Downloading a browser (playwright install chromium)", async () => {
    // Milliseconds without an answer, of five attempts. Where the download is blocked, that must not take minutes.
    const env = { ...process.env, PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT: "5000" };
    await run(process.execPath, [commandOf("@playwright/test", "playwright"), "install", "--no-shell", "chromium"], {
      env,
    });
  });
  if (!(await firstThatWorks()) && debian && root) {
    await attempt("Installing a browser (apt-get install chromium)", async () => {
      const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
      const options = { env, maxBuffer: 64 * 1024 * 1024 };
      await run("apt-get", ["update"], options);
      await run("apt-get", ["install", "-y", "--no-install-recommends", "chromium", "fonts-liberation"], options);
    });
  }
  const installed = await firstThatWorks();
  if (installed) return installed;
  const command = debian
    ? `${root ? "" : "sudo "}apt-get install -y chromium`
    : "npx playwright install --with-deps chromium";
  throw new Error(`There is no browser for the browser tests, and none could be installed. Run: ${command}`);
}

async function firstThatWorks() {
  for (const path of [chromium.executablePath(), ...INSTALLED]) if (await works(path)) return path;
  return null;
}

/**
 * Whether it is there and finds its libraries.
 *
 * @param {string} path
 */
async function works(path) {
  if (!existsSync(path)) return false;
  if (process.platform === "win32") return true; // asked for its version, it would open a window
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
    console.log(`  did not work: ${lines.find((line) => /^(Error|E): /.test(line)) ?? lines.at(-1)}`);
  });
}
