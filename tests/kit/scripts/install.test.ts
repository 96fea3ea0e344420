import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { install } from "../../../scripts/install.mjs";

let root: string;
const log = vi.spyOn(console, "log");

/** A package to install, with its dependencies beside it, so that no registry is asked. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "install-test-"));
  for (const name of ["one", "two"]) {
    await mkdir(join(root, name));
    await writeFile(join(root, name, "package.json"), JSON.stringify({ name, version: "1.0.0" }));
  }
  await depend({ one: "file:one" });
  log.mockClear();
});
afterEach(() => rm(root, { recursive: true }));

async function depend(devDependencies: Record<string, string>) {
  await writeFile(join(root, "package.json"), JSON.stringify({ name: "root", version: "1.0.0", devDependencies }));
}

test("packages are installed once, those for development too whatever NODE_ENV says", async () => {
  vi.stubEnv("NODE_ENV", "production");
  await install({ root });
  expect(existsSync(join(root, "node_modules", "one"))).toBe(true);
  expect(log).toHaveBeenCalledOnce();
  await install({ root });
  expect(log).toHaveBeenCalledOnce();
  vi.unstubAllEnvs();
});

test("a dependency that the lock file lacks is added to it, and installed", async () => {
  await install({ root });
  await depend({ one: "file:one", two: "file:two" });
  await install({ root });
  expect(log).toHaveBeenLastCalledWith("Installing packages (npm install)");
  expect(existsSync(join(root, "node_modules", "two"))).toBe(true);
  expect(Object.keys(JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")).packages)).toContain("two");
});

test("packages that were removed are installed again, from the lock file", async () => {
  await install({ root });
  await rm(join(root, "node_modules"), { recursive: true });
  await install({ root });
  expect(log).toHaveBeenLastCalledWith("Installing packages (npm ci)");
  expect(existsSync(join(root, "node_modules", "one"))).toBe(true);
});

test("two commands that begin at once install the packages once", async () => {
  await install({ root });
  await rm(join(root, "node_modules"), { recursive: true });
  log.mockClear();
  await Promise.all([install({ root }), install({ root })]);
  expect(log.mock.calls.flat().sort()).toEqual([
    "Installing packages (npm ci)",
    "Waiting for another command, which installs packages",
  ]);
  expect(existsSync(join(root, "node_modules", "one"))).toBe(true);
});
