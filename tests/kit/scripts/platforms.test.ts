import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";

// Requirements of Windows, macOS and other package managers that can be checked on Linux.

test("a clone has the same line ends everywhere, whatever git is set to", async () => {
  expect(await readFile(".gitattributes", "utf8")).toMatch(/^\* text=auto eol=lf$/m);
  // In a copy that is not a Git clone, this finds nothing.
  expect(spawnSync("git", ["grep", "-lI", "\r$"], { encoding: "utf8" }).stdout).toBe("");
});

test("npm scripts need no shell of Unix", async () => {
  const { scripts } = JSON.parse(await readFile("package.json", "utf8"));
  for (const [name, script] of Object.entries<string>(scripts)) {
    // Programs, their arguments, and `&&`, which cmd.exe has too.
    expect(script, name).toMatch(/^[\w@./:=-]+( [\w@./:=-]+)*( && [\w@./:=-]+( [\w@./:=-]+)*)*$/);
    for (const [program = ""] of script.split(" && ").map((part) => part.split(" "))) {
      expect(["node", "npm", "next", "prisma", "vitest", "playwright", "biome", "tsc"], name).toContain(program);
    }
  }
});

test("Windows and macOS have a job each: they install, check types and lint, and run the main flow on disk", async () => {
  const workflow = await readFile(".github/workflows/test.yml", "utf8");
  const job = workflow.slice(workflow.indexOf("  platforms:"));
  expect(job).toContain("os: [windows-latest, macos-latest]");
  const commands = [...job.matchAll(/- run: (.+)/g)].map(([, command]) => command);
  expect(commands).toEqual([
    "npm ci",
    "npm run db:generate",
    "npm run check",
    expect.stringMatching(/^npx vitest run .*tests\/kit\/http.*tests\/kit\/storage.*tests\/kit\/scripts/),
  ]);
});

test("package managers other than npm read in package.json that they are not for this project", async () => {
  const { engines, packageManager } = JSON.parse(await readFile("package.json", "utf8"));
  expect(engines).toMatchObject({ pnpm: expect.stringContaining("Use npm"), yarn: expect.stringContaining("Use npm") });
  expect(packageManager).toBeUndefined();
});
