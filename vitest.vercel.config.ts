import { defineConfig } from "vitest/config";
import config from "./vitest.config";

/** The functions that `vercel build` makes, run as Vercel does. Fetches Vercel's command line from the registry. */
export default defineConfig({
  ...config,
  test: {
    ...config.test,
    projects: undefined,
    include: ["tests/demos/vercel/**/*.test.ts"],
    exclude: [],
    testTimeout: 60_000,
  },
});
