import { availableParallelism } from "node:os";
import { defineConfig } from "@playwright/test";
import { findBrowsers } from "./scripts/browser.mjs";
import type { WorkerOptions } from "./tests/e2e/demos/test";

// Workers inherit the environment, so only the first process looks for a browser.
if (!process.env.CHROMIUM_PATH) Object.assign(process.env, await findBrowsers());
const { CHROMIUM_PATH, HEADLESS_SHELL_PATH = CHROMIUM_PATH } = process.env;
const args = [
  "--disable-background-networking",
  // A page lives for seconds: optimising its scripts takes longer than it saves.
  "--js-flags=--no-opt",
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
];

/** How a browser is started. */
export const launching = (executablePath: string | undefined) => ({ launchOptions: { executablePath, args } });

const pages = launching(HEADLESS_SHELL_PATH);
// Each worker starts an app and a browser of its own, which takes longer than these few tests.
const few = { workers: 1 };

/** What takes long has this tag, or a file of this name, and runs only in `npm run test:soak:browser`. */
export const soaks = /@soak|\.soak\.spec\.ts/;

/** The tests in a real browser, against what `next build` has built. */
export default defineConfig<object, WorkerOptions>({
  testDir: "tests",
  testMatch: "**/*.spec.ts",
  outputDir: "test-results",
  globalSetup: "./tests/global-setup.ts",
  fullyParallel: true,
  forbidOnly: Boolean(process.env.CI),
  // A test waits for a third of its time. Each worker has an app and a browser, which take half a gigabyte.
  workers: Math.min(Math.ceil(1.5 * availableParallelism()), 8),
  timeout: 30_000,
  expect: { timeout: 10_000 },
  reporter: "list",
  use: { browserName: "chromium", screenshot: "only-on-failure" },
  projects: [
    { name: "pages", grepInvert: [/PDF/, soaks], use: pages },
    ...(["S3", "Vercel Blob"] as const).map((store) => ({
      name: `pictures on ${store}`,
      testMatch: "pictures.spec.ts",
      ...few,
      // What the store has a part in.
      grep: /three pictures|can be cancelled|deleted picture/,
      use: { ...pages, store },
    })),
  ],
});
