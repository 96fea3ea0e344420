import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withClient } from "../../../scripts/database.mjs";
import { createDatabase } from "../../database";
import { type Block, blocks } from "./pages";

// The code blocks of the pages are written into a copy of the project, and used there as the pages say.

const run = promisify(execFile);
let folder = "";
/** Where each block of code was written, by its path in the copy. */
const places = new Map<string, string>();
/** Files of the project that a page changes. */
const changed = new Set<string>();
let database: Awaited<ReturnType<typeof createDatabase>>;

/** Runs a program of the project in the copy. Throws with what it printed when that fails. */
async function runNode(...args: string[]): Promise<void> {
  const env = { ...process.env, DATABASE_URL: database.url, NODE_OPTIONS: "", VITEST: "", CI: "" };
  await run(process.execPath, args, { cwd: folder, env }).catch(({ stdout, stderr }) => {
    throw new Error(`${args.join(" ")} failed:\n${stdout}\n${stderr}`);
  });
}

const program = (path: string) => join(process.cwd(), "node_modules", path);

beforeAll(async () => {
  await mkdir(".data", { recursive: true });
  folder = await mkdtemp(join(process.cwd(), ".data", "docs-"));
  const copied = ["src", "prisma", "scripts", "package.json", "package-lock.json", "tsconfig.json", "prisma.config.ts"];
  const tests = [
    "vitest.config.ts",
    "tests/setup.ts",
    "tests/global-setup.ts",
    "tests/database.ts",
    "tests/e2e",
    "tests/kit/e2e",
  ];
  const isOwn = (path: string) => !path.includes("generated");
  for (const path of [...copied, ...tests]) await cp(path, join(folder, path), { recursive: true, filter: isOwn });
  await symlink(join(process.cwd(), "node_modules"), join(folder, "node_modules"));
  for (const block of blocks) await place(block);
  await listFunctions();
  await cp("tests/demos/docs/recipes.ts", join(folder, "tests/functions/recipes.test.ts"));
  database = await createDatabase();
}, 120_000);

afterAll(async () => {
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

/** Puts a block where the page says, or in a file of its own. */
async function place(block: Block): Promise<void> {
  const { language, info, code, place } = block;
  if (language === "prisma" || language === "diff") {
    const path = join(folder, info);
    const before = await readFile(path, "utf8");
    if (/\.tsx?$/.test(info)) changed.add(info);
    return writeFile(path, language === "diff" ? applyDiff(before, block) : `${before}\n${code}`);
  }
  if (language !== "ts" && language !== "tsx") return;
  const named = info || `src/docs/${place.replaceAll(/\W/g, "-")}.${language}`;
  // The first page that names a file has it. Others show a further part of it, which stands beside it.
  const path = places.has(named) ? named.replace(/\.(tsx?)$/, `-${places.size}.$1`) : named;
  places.set(path, place);
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), code);
}

/** The README says how to list a file of functions. The other pages' files are listed here. */
async function listFunctions(): Promise<void> {
  const index = join(folder, "src/functions/index.ts");
  let text = await readFile(index, "utf8");
  for (const path of places.keys()) {
    const [, name = ""] = /^src\/functions\/([a-z]+)\.ts$/.exec(path) ?? [];
    if (["", "index", "http", "crons"].includes(name) || text.includes(`"./${name}"`)) continue;
    text = `import * as ${name} from "./${name}";\n${text.replace("functions: {", `functions: { ${name},`)}`;
  }
  await writeFile(index, text);
}

/** Lines that stay or go are looked for from where the one before was found. Added ones follow it. */
function applyDiff(text: string, { code, place }: Block): string {
  const lines = text.split("\n");
  let at = 0;
  for (const line of code.trimEnd().split("\n")) {
    const [sign, content] = [line[0], line.slice(1)];
    if (sign === "+") lines.splice(at++, 0, content);
    else {
      const found = lines.indexOf(content, at);
      if (found < 0) throw new Error(`${place}: the file has no line ${JSON.stringify(content)} here`);
      at = found + 1;
      if (sign === "-") lines.splice(--at, 1);
    }
  }
  return lines.join("\n");
}

test("the README's command writes, applies and generates the table of its first feature", async () => {
  await runNode("scripts/db.mjs", "migrate", "add_notes");
}, 120_000);

test("every TypeScript block of the documentation compiles", async () => {
  const tsconfig = { extends: "./tsconfig.json", include: [...places.keys(), ...changed], exclude: [] };
  await writeFile(join(folder, "tsconfig.docs.json"), JSON.stringify(tsconfig));
  const { stdout } = await run(process.execPath, [program("typescript/bin/tsc"), "-p", "tsconfig.docs.json"], {
    cwd: folder,
  }).catch((error: { stdout: string }) => error);
  const problems = stdout.replaceAll(/^([^\s(]+)\(/gm, (all, path) => `${places.get(path) ?? path}, ${all}`);
  expect(problems).toBe("");
}, 120_000);

test("the tests that the documentation shows pass, and the recipes work", async () => {
  await runNode(program("vitest/vitest.mjs"), "run", "tests/functions");
}, 120_000);

test("every SQL block runs on the app's database", async () => {
  await withClient(database.url, async (client) => {
    await client.query("BEGIN; CREATE ROLE reports");
    for (const { code } of blocks.filter(({ language }) => language === "sql")) await client.query(code);
    await client.query("ROLLBACK");
  });
});

test("the operator's commands that change nothing run", async () => {
  const lines = blocks.filter(({ page, language }) => page === "docs/operating.md" && language === "sh");
  const commands = lines.flatMap(({ code }) => code.trim().split("\n"));
  expect(commands).toContain("npm run kit -- sweep --dry-run");
  expect(commands).toContain("npm run kit -- restore-file");
  await Promise.all([runNode("scripts/kit.mjs", "sweep", "--dry-run"), runNode("scripts/kit.mjs", "restore-file")]);
}, 120_000);
