import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "./test";

const run = promisify(execFile);

/** The commands of a section of a page, those of its examples in a shell. */
async function commandsOf(page: string, section: string): Promise<string[]> {
  const [, text = ""] = (await readFile(page, "utf8")).split(new RegExp(`^#+ ${section}$`, "m"));
  const [untilNext = ""] = text.split(/^##/m);
  return [...untilNext.matchAll(/```sh\n(.*?)```/gs)].map(([, commands = ""]) => commands);
}

const sections = [
  ["docs/functions.md", "Call a function from a script"],
  ["docs/http-actions.md", "Debug an HTTP action"],
] as const;

for (const [page, section] of sections) {
  test(`${page}, ${section}: its commands work`, async ({ app }) => {
    const commands = await commandsOf(page, section);
    expect(commands.length).toBeGreaterThan(0);
    const folder = await mkdtemp(join(tmpdir(), "readme-"));
    await writeFile(join(folder, "cat.png"), "a cat");
    const script = commands.join("\n").replaceAll("localhost:3000", new URL(app.origin).host);
    const { stdout } = await run("bash", ["-euo", "pipefail", "-c", script], { cwd: folder });
    await rm(folder, { recursive: true });
    expect(stdout).not.toMatch(/"error"|HTTP\/1.1 [45]/);
  });
}
