import { defineConfig } from "@playwright/test";
import config from "./playwright.config";

/** The browser tests that take too long for `npm test`, one after the other. */
export default defineConfig({
  ...config,
  testMatch: "**/*.soak.spec.ts",
  testIgnore: undefined,
  workers: 1,
  timeout: 900_000,
  projects: config.projects?.slice(0, 1),
});
