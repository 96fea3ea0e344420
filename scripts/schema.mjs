import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./checkout.mjs";

/** The folder of schema/ and of migrations/, where Prisma looks for them too. */
export const PRISMA_FOLDER = join(ROOT, "prisma");

/**
 * The Prisma schema: the files of `schema/`, one after the other.
 *
 * @param {string} [folder]
 * @returns {Promise<string>}
 */
export async function readSchema(folder = PRISMA_FOLDER) {
  const names = (await readdir(join(folder, "schema"))).filter((name) => name.endsWith(".prisma")).sort();
  return (await Promise.all(names.map((name) => readFile(join(folder, "schema", name), "utf8")))).join("\n");
}
