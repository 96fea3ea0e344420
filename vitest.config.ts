import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

// Most people's machines are not in UTC. A day has one zone, so that what fails can be tried again: TEST_ZONE names another.
const zones = ["Asia/Tokyo", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "Pacific/Honolulu"];
process.env.TZ = process.env.TEST_ZONE ?? zones[new Date().getUTCDate() % zones.length];

// A test file's thread lives for a second: optimising scripts and Prisma's WebAssembly takes longer than it saves.
setFlagsFromString("--liftoff-only");
setFlagsFromString("--no-opt");

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** What takes long, and therefore runs only in `npm run test:soak`. */
export const soaks = ["tests/**/*.soak.test.ts"];

/** A project of the kit's tests, which have functions, tables and a Prisma client of their own. */
export const ofKit = (include: string[], exclude: string[] = []): TestProjectInlineConfiguration => ({
  extends: true,
  resolve: {
    // `~/kit/…` stays the kit.
    alias: [
      { find: /^~\/functions(?=\/|$)/, replacement: pathOf("tests/kit/test-app/functions") },
      { find: /^~\/kit$/, replacement: pathOf("tests/kit/test-app/kit.ts") },
      { find: /^~\/generated(?=\/)/, replacement: pathOf("tests/kit/test-app/generated") },
    ],
  },
  test: {
    name: "kit",
    include,
    exclude,
    globalSetup: "tests/kit/global-setup.ts",
    env: { TEST_TABLES: pathOf("tests/kit/test-app/tables.sql") },
  },
});

export default defineConfig({
  resolve: {
    alias: [
      { find: /^~(?=\/)/, replacement: pathOf("src") },
      // Tests are the server.
      { find: "server-only", replacement: pathOf("node_modules/server-only/empty.js") },
    ],
  },
  test: {
    projects: [
      ofKit(["tests/kit/**/*.test.ts"], soaks),
      {
        extends: true,
        test: {
          name: "app",
          include: ["tests/functions/**/*.test.ts", "tests/demos/**/*.test.ts"],
          exclude: ["tests/demos/soak/**", "tests/demos/vercel/**", ...soaks],
        },
      },
    ],
    globalSetup: "tests/global-setup.ts",
    setupFiles: "tests/setup.ts",
    // Each file has its modules, settings and database for itself in a thread as in a process, and sooner.
    pool: "threads",
    // A busy machine is no failure.
    testTimeout: 20_000,
    maxWorkers: "100%",
  },
});
