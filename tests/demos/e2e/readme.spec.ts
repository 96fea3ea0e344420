import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "../../e2e/demos/test";

const run = promisify(execFile);

/** The examples of a section of a page that are in this language, and do not say that they need more than the app. */
async function examplesOf(page: string, section: string, language: string): Promise<string> {
  const [, text = ""] = (await readFile(page, "utf8")).split(new RegExp(`^#+ ${section}$`, "m"));
  const [untilNext = ""] = text.split(/^##/m);
  const blocks = untilNext.matchAll(new RegExp(`^ *\`\`\`${language}(?! host)[^\n]*\n(.*?)^ *\`\`\``, "gms"));
  return [...blocks].map(([, code = ""]) => code).join("\n");
}

const shell = ["bash", "-euo", "pipefail"];
const examples: [page: string, section: string, language: string, command: string[]][] = [
  ["docs/clients.md", "Call a function with plain JSON", "sh", shell],
  ["docs/clients.md", "Call a function from TypeScript", "ts", [process.execPath, "--import", "tsx"]],
  ["docs/clients.md", "Upload a large file from Node.js", "ts", [process.execPath, "--import", "tsx"]],
  ["docs/clients.md", "Call a function from Python", "python", ["python3"]],
  ["docs/http-actions.md", "Debug an HTTP action", "sh", shell],
];

for (const [page, section, language, [program = "", ...args]] of examples) {
  test(`${page}, ${section}: its example works as it is printed`, async ({ app }) => {
    const isThere = await run(program, ["--version"]).then(
      () => true,
      () => false,
    );
    test.skip(!isThere, `${program} is not on this machine`);
    const code = await examplesOf(page, section, language);
    expect(code).toContain("localhost:3000");
    // Inside the project, where packages are found.
    await mkdir(".data", { recursive: true });
    const folder = await mkdtemp(join(process.cwd(), ".data", "examples-"));
    const script = join(folder, `script.${language}`);
    await writeFile(join(folder, "cat.png"), "a cat");
    await writeFile(script, code.replaceAll("localhost:3000", new URL(app.origin).host));
    const { stdout } = await run(program, [...args, script], { cwd: folder }).finally(() =>
      rm(folder, { recursive: true }),
    );
    expect(stdout).not.toMatch(/"error"|"code"|HTTP\/1.1 [45]/);
    if (section !== "Debug an HTTP action") expect(stdout).toMatch(/cat\.png|A script/);
  });
}
