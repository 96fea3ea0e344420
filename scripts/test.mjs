import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBrowsers, installDebianBrowsers } from "./browser.mjs";
import { commandOf, generateClient, ROOT } from "./checkout.mjs";
import { install, npmCommand, refuseUnsupported } from "./install.mjs";
import { whenNpmIsGone } from "./processes.mjs";

// npm test
//
// Runs every check, even from a fresh clone. The imports above use only Node's own modules. Everything that needs packages is
// imported after the installation. A failed step stops only the steps that need it. The last line counts the tests that
// passed and failed. Each other failed step counts as one failed test.

refuseUnsupported();

/** Everything that goes into a build. */
const INPUTS = ["src", "public", "next.config.mjs", "postcss.config.mjs", "tsconfig.json", "package-lock.json"];

/** Each `next build` deletes this file, so that it always describes the build beside it. */
const STAMP = join(ROOT, ".next", "built-from");

const stopping = new AbortController();
const { signal } = stopping;
const total = { passed: 0, failed: 0 };

async function test() {
  const debianBrowsers = installDebianBrowsers();
  await install({ signal });
  const { startTestPostgres } = await import("./test-postgres.mjs");
  await generateClient();

  const reports = await mkdtemp(join(tmpdir(), "test-reports-"));
  const server = await startTestPostgres();
  try {
    const env = { TEST_DATABASE_URL: server.url, PLAYWRIGHT_JSON_OUTPUT_FILE: join(reports, "browser.json") };
    const unit = join(reports, "unit.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${unit}`];
    const [browsers, built] = await Promise.all([
      debianBrowsers.then(findBrowsers).catch((error) => fail(error.message)),
      isBuilt().then(
        (done) =>
          done ||
          step("build", [process.execPath, commandOf("next"), "build"], {
            NODE_ENV: "production",
            TYPES_CHECKED: "1",
            FIRST_BUILD: existsSync(join(ROOT, ".next")) ? "0" : "1",
          }),
      ),
      step("check", npmCommand(["run", "check"])),
      step("tests", [process.execPath, commandOf("vitest"), "run", ...reporters], env, async () => {
        const { numPassedTests, numFailedTests } = JSON.parse(await readFile(unit, "utf8"));
        return { passed: numPassedTests, failed: numFailedTests };
      }),
    ]);
    if (built) await writeFile(STAMP, await hashInputs());

    if (!browsers || !built) return console.log("The browser tests need a build and a browser, so they did not run.");
    const command = [commandOf("@playwright/test", "playwright"), "test", "--reporter=list,json"];
    await step("browser tests", [process.execPath, ...command], { ...env, ...browsers }, async () => {
      const { stats } = JSON.parse(await readFile(env.PLAYWRIGHT_JSON_OUTPUT_FILE, "utf8"));
      return { passed: stats.expected, failed: stats.unexpected + stats.flaky };
    });
  } finally {
    await server.stop();
    await rm(reports, { recursive: true });
  }
}

/**
 * Runs a program and prints how long it took. If it failed, prints its output, too.
 *
 * @param {string} name
 * @param {[string, ...string[]]} command
 * @param {Partial<NodeJS.ProcessEnv>} [env]
 * @param {() => Promise<{ passed: number, failed: number }>} [count] reads how its tests went
 * @returns {Promise<boolean>} whether it succeeded
 */
async function step(name, [command, ...args], env = {}, count) {
  signal.throwIfAborted();
  console.log(`Running: ${name}`);
  const started = performance.now();
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...process.env, NODE_ENV: "test", NEXT_TELEMETRY_DISABLED: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    shell: command.endsWith(".cmd"),
  });
  signal.addEventListener("abort", () => child.kill());
  /** @type {string[]} */
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => output.push(text));
  const [code] = await once(child, "close");
  signal.throwIfAborted();

  const counted = await count?.().catch(() => undefined); // There is no report when the program ended early.
  const { passed, failed } = counted ?? { passed: 0, failed: 0 };
  total.passed += passed;
  total.failed += code === 0 ? failed : Math.max(failed, 1);
  if (code !== 0) console.log(output.join(""));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const tests = counted ? `, ${passed} passed, ${failed} failed` : "";
  console.log(`${code === 0 ? "Passed" : "FAILED"}: ${name} (${seconds} s${tests})`);
  return code === 0;
}

/**
 * @param {string} message
 * @returns {null}
 */
function fail(message) {
  total.failed++;
  console.error(message);
  return null;
}

/** Whether `.next` contains a build of the current sources, made by `npm test`. */
async function isBuilt() {
  if (!existsSync(join(ROOT, ".next", "BUILD_ID"))) return false;
  return (await readFile(STAMP, "utf8").catch(() => "")) === (await hashInputs());
}

async function hashInputs() {
  const hash = createHash("sha256").update(process.version);
  for (const input of INPUTS.map((name) => join(ROOT, name)).filter(existsSync)) {
    for (const path of (await filesIn(input)).sort()) hash.update(path).update(await readFile(path));
  }
  return hash.digest("hex");
}

/**
 * @param {string} path of a folder or file
 * @returns {Promise<string[]>}
 */
async function filesIn(path) {
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => null);
  return entries?.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)) ?? [path];
}

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => stopping.abort());
void whenNpmIsGone(() => stopping.abort());

await test().catch((error) => {
  if (signal.aborted) process.exit(130);
  fail(error.stack);
});
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);
