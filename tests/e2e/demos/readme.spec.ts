import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "./test";

const run = promisify(execFile);

/** The commands of a section of the README, those of its examples in a shell. */
async function commandsOf(section: string): Promise<string[]> {
  const readme = await readFile("README.md", "utf8");
  const [, text = ""] = readme.split(new RegExp(`^#+ ${section}$`, "m"));
  const [untilNext = ""] = text.split(/^##/m);
  return [...untilNext.matchAll(/```sh\n(.*?)```/gs)].map(([, commands = ""]) => commands);
}

for (const section of ["Calling it from outside", "Debugging an HTTP action"]) {
  test(`README, ${section}, its commands work`, async ({ app }) => {
    const commands = await commandsOf(section);
    expect(commands.length).toBeGreaterThan(0);
    const folder = await mkdtemp(join(tmpdir(), "readme-"));
    await writeFile(join(folder, "cat.png"), "a cat");
    const script = commands.join("\n").replaceAll("localhost:3000", new URL(app.origin).host);
    const { stdout } = await run("bash", ["-euo", "pipefail", "-c", script], { cwd: folder });
    await rm(folder, { recursive: true });
    expect(stdout).not.toMatch(/"error"|HTTP\/1.1 [45]/);
  });
}
