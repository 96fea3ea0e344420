import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scale } from "../../kit/crash/scale";
import { createScratchCopy } from "../../kit/scratch-copy";

test(
  "without the demos the app type-checks, builds, and passes its tests in a browser too",
  async () => {
    const copy = await createScratchCopy();
    // The copy has its own database, and only committed files, like a clone.
    const env = { TEST_DATABASE_URL: "", NODE_ENV: "development" };
    try {
      await copy.run(process.execPath, ["scripts/remove-demos.mjs", "--force"], env);
      expect(await readdir(join(copy.folder, "src/functions"))).toEqual([
        "crons.ts",
        "email.ts",
        "http.ts",
        "index.ts",
      ]);
      await copy.run("npx", ["prisma", "generate"], env);
      await copy.run("npm", ["run", "check"], env);
      expect(await copy.run("npm", ["test"], env)).toMatch(/ passed, 0 failed\s*$/);
    } finally {
      await copy.remove();
    }
  },
  scale.limit,
);
