import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the checkout. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Where development keeps its data. */
export const DATA = join(ROOT, ".data");

/**
 * The arguments with which Node runs a command of an installed package: what `npx` does, without its process in between.
 *
 * @param {string} packageName
 * @param {string} [command]
 * @returns {string} path of the script
 */
export function commandOf(packageName, command = packageName) {
  const manifest = createRequire(import.meta.url).resolve(`${packageName}/package.json`);
  const { bin } = createRequire(import.meta.url)(manifest);
  return join(dirname(manifest), typeof bin === "string" ? bin : bin[command]);
}
