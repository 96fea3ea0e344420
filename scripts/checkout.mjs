import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The folder of the checkout. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The folder where development keeps its data. */
export const DATA = join(ROOT, ".data");

/** The folder of schema/ and migrations/. */
export const PRISMA_FOLDER = join(ROOT, "prisma");

/**
 * Finds the script of an installed package's command. Running it with Node.js is what `npx` does, with one process less.
 *
 * @param {string} packageName
 * @param {string} [command]
 * @returns {string} its path
 */
export function commandOf(packageName, command = packageName) {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve(`${packageName}/package.json`);
  const { bin } = require(manifest);
  return join(dirname(manifest), typeof bin === "string" ? bin : bin[command]);
}

/**
 * Reads the Prisma schema: the files of `schema/` in the order of their names.
 *
 * @param {string} [folder]
 * @returns {Promise<string>}
 */
export async function readSchema(folder = PRISMA_FOLDER) {
  const names = (await readdir(join(folder, "schema"))).filter((name) => name.endsWith(".prisma")).sort();
  return (await Promise.all(names.map((name) => readFile(join(folder, "schema", name), "utf8")))).join("\n");
}

/**
 * Generates the Prisma client from prisma/schema, unless the client is up to date.
 *
 * @throws with Prisma's output when it refuses the schema
 */
export async function generateClient() {
  const hash = createHash("sha256").update(await readSchema());
  for (const path of ["package-lock.json", "scripts/typed-ids.mjs"]) hash.update(await readFile(join(ROOT, path)));
  const state = hash.digest("hex");
  const stamp = join(ROOT, "src", "generated", "made-from");
  if ((await readFile(stamp, "utf8").catch(() => "")) === state) return;

  console.log("Generating the Prisma client");
  const env = { ...process.env, CHECKPOINT_DISABLE: "1", PRISMA_HIDE_UPDATE_MESSAGE: "1" };
  const args = [commandOf("prisma"), "generate", "--no-hints"];
  await promisify(execFile)(process.execPath, args, { cwd: ROOT, env }).catch((cause) => {
    throw new Error(`\`prisma generate\` failed:\n${cause.stderr || cause.stdout || cause.message}`, { cause });
  });
  await writeFile(stamp, state);
}

/** The secret of development. It is the same for all starts, so that signed URLs stay valid. */
export function developmentSecret() {
  const path = join(DATA, "app-secret");
  mkdirSync(DATA, { recursive: true });
  try {
    writeFileSync(path, randomBytes(32).toString("base64url"), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  return readFileSync(path, "utf8");
}
