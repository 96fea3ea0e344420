import { defineConfig } from "@playwright/test";

const { CHROMIUM_PATH, HEADLESS_SHELL_PATH = CHROMIUM_PATH } = process.env;
const args = ["--disable-background-networking", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])];

/** The tests in a real browser, against what `next build` has built. */
export default defineConfig({
  testDir: "tests/e2e",
  outputDir: "test-results",
  globalSetup: "./tests/global-setup.ts",
  fullyParallel: true,
  forbidOnly: Boolean(process.env.CI),
  workers: 2,
  timeout: 30_000,
  expect: { timeout: 10_000 },
  reporter: "list",
  use: { browserName: "chromium", trace: "retain-on-failure", screenshot: "only-on-failure" },
  projects: [
    {
      name: "pages",
      testIgnore: "served-content.spec.ts",
      use: { launchOptions: { executablePath: HEADLESS_SHELL_PATH, args } },
    },
    {
      // Files are shown by the whole browser, with its PDF viewer.
      name: "served content",
      testMatch: "served-content.spec.ts",
      use: { launchOptions: { executablePath: CHROMIUM_PATH, args } },
    },
  ],
});
