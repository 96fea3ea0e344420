import { spawnSync } from "node:child_process";
import { expect, test, vi } from "vitest";
import { createDatabase } from "../../../scripts/test-postgres.mjs";

// Each command runs in a process of its own, which takes time.
vi.setConfig({ testTimeout: 120_000 });

const run = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/kit.mjs", ...args], {
    encoding: "utf8",
  });
  return { status, text: stdout + stderr };
};

test("sweep counts the unreferenced files, and deletes them without --dry-run", () => {
  const counted = run("sweep", "--dry-run");
  expect(counted).toEqual({ status: 0, text: "A sweep would delete 0 unreferenced files (0 bytes).\n" });
  const swept = run("sweep");
  expect(swept).toEqual({ status: 0, text: expect.stringMatching(/0 unreferenced files.*\n.*bytes of 0 files/) });
});

test("restore-file lists deleted files, and refuses an id that is not one of theirs", () => {
  expect(run("restore-file")).toEqual({ status: 0, text: "There are no deleted files to restore.\n" });
  const { status, text } = run("restore-file", "019a0000-0000-7000-8000-000000000000");
  expect([status, text]).toEqual([1, expect.stringContaining("Cannot restore 019a0000")]);
});

test("an unknown command is refused with the commands that exist", () => {
  expect(run("toString")).toEqual({ status: 1, text: expect.stringMatching(/no command "toString".*restore-file/s) });
});

test("doctor names a secret that is too short, and does not print it", () => {
  const env = { ...process.env, APP_SECRET: "a-short-secret" };
  const { status, stdout } = spawnSync(process.execPath, ["scripts/kit.mjs", "doctor"], { encoding: "utf8", env });
  expect([status, stdout]).toEqual([1, expect.stringMatching(/^✗ App: settings: .*APP_SECRET: each secret needs 32/s)]);
  expect(stdout).not.toContain("a-short-secret");
});

test("doctor looks at everything, and exits with 0 when nothing is wrong", async () => {
  // The script has the app's models. The database of this file has the tables of the kit's tests.
  const { url, drop } = await createDatabase(process.env.TEST_DATABASE_URL ?? "");
  const env: NodeJS.ProcessEnv = { ...process.env, APP_ORIGIN: "", DATABASE_URL: url };
  const { status, stdout } = spawnSync(process.execPath, ["scripts/kit.mjs", "doctor"], { encoding: "utf8", env });
  expect([status, stdout]).toEqual([0, expect.stringMatching(/ checks, 0 problems, 0 warnings\.\n$/)]);
  for (const part of ["Database: triggers", "Store: delete", "App: secrets"]) expect(stdout).toContain(`✓ ${part}`);
  await drop();
});
