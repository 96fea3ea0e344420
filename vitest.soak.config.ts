import { setFlagsFromString } from "node:v8";
import { defineConfig } from "vitest/config";
import config, { ofKit } from "./vitest.config";

// These threads live for minutes.
setFlagsFromString("--opt");

/**
 * The crash tests with more of everything (tests/kit/crash/scale.ts), and what takes too long for `npm test`, one file after
 * the other.
 */
export default defineConfig({
  ...config,
  test: {
    ...config.test,
    projects: [
      ofKit(["tests/kit/crash/**/*.test.ts", "tests/kit/**/*.soak.test.ts"]),
      {
        extends: true,
        test: {
          name: "app",
          include: ["tests/demos/soak/**/*.test.ts", "tests/{demos,e2e,functions}/**/*.soak.test.ts"],
        },
      },
    ],
    env: { SOAK: "1" },
    fileParallelism: false,
    disableConsoleIntercept: true,
  },
});
