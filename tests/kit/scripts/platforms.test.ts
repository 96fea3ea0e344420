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
  const { preinstall, ...scripts } = JSON.parse(await readFile("package.json", "utf8")).scripts;
  // A program in double quotes, in which no shell replaces anything.
  expect(preinstall).toMatch(/^node -e "[^"$`%!\\]+"$/);
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

test.each([
  ["bun/1.3.0 npm/? node/v24.3.0", 1],
  ["yarn/4.18.1 npm/? node/v22.0.0", 1],
  ["pnpm/10.0.0 npm/? node/v22.0.0", 1],
  ["npm/11.0.0 node/v22.0.0 linux x64", 0],
  [undefined, 0],
])("an installation by %s ends with status %i, before it installs other versions", async (agent, status) => {
  const { preinstall } = JSON.parse(await readFile("package.json", "utf8")).scripts;
  const env = { ...process.env, npm_config_user_agent: agent };
  const ran = spawnSync(preinstall, { shell: true, encoding: "utf8", env });
  expect([ran.status, ran.stderr]).toEqual([
    status,
    status ? "This project uses npm and its lock file. Run: npm ci\n" : "",
  ]);
});
