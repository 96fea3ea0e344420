import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./checkout.mjs";

/** All that goes into a build. */
const INPUTS = ["src", "public", "next.config.mjs", "postcss.config.mjs", "tsconfig.json", "package-lock.json"];

/** Each `next build` removes it, so that it speaks of the build beside it. */
const STAMP = join(ROOT, ".next", "built-from");

/** Whether `.next` holds a build of the sources as they are, made by `npm test`. */
export async function isBuilt() {
  if (!existsSync(join(ROOT, ".next", "BUILD_ID"))) return false;
  return (await readFile(STAMP, "utf8").catch(() => "")) === (await hashInputs());
}

/** Call after a successful build. */
export async function rememberBuild() {
  await writeFile(STAMP, await hashInputs());
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
