import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { defineConfig } from "vitest/config";

// Most people's machines are not in UTC. A day has one zone, so that what fails can be tried again: TEST_ZONE names another.
const zones = ["Asia/Tokyo", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "Pacific/Honolulu"];
process.env.TZ = process.env.TEST_ZONE ?? zones[new Date().getUTCDate() % zones.length];

// A test file's thread lives for a second: optimising scripts and Prisma's WebAssembly takes longer than it saves.
setFlagsFromString("--liftoff-only");
setFlagsFromString("--no-opt");

export default defineConfig({
  resolve: {
    alias: {
      "~": fileURLToPath(new URL("src", import.meta.url)),
      // Tests are the server.
      "server-only": fileURLToPath(new URL("node_modules/server-only/empty.js", import.meta.url)),
    },
  },
  test: {
    include: ["tests/**/*.test.ts"],
    exclude: ["tests/e2e/**", "tests/kit/soak/**", "tests/kit/vercel/**", "node_modules/**"],
    globalSetup: "tests/global-setup.ts",
    setupFiles: "tests/setup.ts",
    // Each file has its modules, settings and database for itself in a thread as in a process, and sooner.
    pool: "threads",
    // A busy machine is no failure.
    testTimeout: 20_000,
    maxWorkers: "100%",
  },
});
