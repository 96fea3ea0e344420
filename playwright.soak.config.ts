import { defineConfig } from "@playwright/test";
import config, { launching, soaks } from "./playwright.config";

/** The browser tests that take too long for `npm test`, one after the other. */
export default defineConfig({
  ...config,
  workers: 1,
  timeout: 900_000,
  projects: [
    { ...config.projects?.[0], grep: soaks, grepInvert: /PDF/ },
    // The shell has no PDF viewer.
    { name: "whole browser", grep: /PDF/, use: launching(process.env.CHROMIUM_PATH) },
  ],
});
