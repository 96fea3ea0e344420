import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { generateClient, ROOT, readSchema } from "./checkout.mjs";
import { install, refuseUnsupported } from "./install.mjs";

// Part of `npm run check`: finds mistakes that Prisma and TypeScript accept. It also installs the packages and generates the
// Prisma client if they are missing, because the other parts need them.
//
// node scripts/check.mjs                        checks everything
// node scripts/check.mjs schema [file]          checks the schema only
// node scripts/check.mjs functions [folder]     checks the functions only

const [only, path] = process.argv.slice(2);
if (!only) {
  refuseUnsupported();
  await install();
  await generateClient();
}
const problems = [
  ...(only === "functions" ? [] : schemaProblems(path ? await readFile(path, "utf8") : await readSchema())),
  ...(only === "schema" ? [] : await functionProblems(path ?? join(ROOT, "src", "functions"))),
];
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

/**
 * Finds storage ids without a foreign key, because their files would be deleted as unreferenced (the server checks its
 * database in the same way), and required files with `onDelete: SetNull`, which could not be deleted.
 *
 * @param {string} schema
 */
function schemaProblems(schema) {
  /** @type {string[]} */
  const problems = [];
  for (const [, model = "", body = ""] of schema.matchAll(/^model (\w+) \{\n(.*?)^\}/gms)) {
    /** @type {string[]} */
    const related = [];
    for (const [, type, options = ""] of body.matchAll(/\s(Storage\??)\s.*@relation\(([^)]*)/g)) {
      const fields = /fields:\s*\[([^\]]+)\]/.exec(options)?.[1]?.split(/\s*,\s*/) ?? [];
      related.push(...fields.map((field) => field.trim()));
      if (type === "Storage" && /onDelete:\s*SetNull/.test(options)) {
        problems.push(
          `${model}.${fields.join(", ")} is required, so its file could never be deleted. Make it optional, or delete the row ` +
            "with the file: `onDelete: Cascade`.",
        );
      }
    }
    for (const [, field = ""] of body.matchAll(/^\s+(\w*storage_?ids?)\s/gim)) {
      if (related.includes(field)) continue;
      problems.push(
        `${model}.${field} looks like a storage id without a foreign key. Its files would be deleted as unreferenced. Add a ` +
          "relation to Storage, or rename the field.",
      );
    }
  }
  return problems;
}

/**
 * Finds files of functions that index.ts does not import: clients and the scheduler cannot call what they export.
 *
 * @param {string} folder
 */
async function functionProblems(folder) {
  const madeFunction = /^export const \w+ = \w*(query|mutation|action)(\.use\([^)]*\))*\(/im;
  const index = await readFile(join(folder, "index.ts"), "utf8");
  /** @type {string[]} */
  const problems = [];
  for (const name of (await readdir(folder)).filter((file) => file.endsWith(".ts") && file !== "index.ts")) {
    const module = name.slice(0, -".ts".length);
    if (index.includes(`"./${module}"`) || !madeFunction.test(await readFile(join(folder, name), "utf8"))) continue;
    problems.push(
      `src/functions/index.ts does not list src/functions/${name}, so clients cannot call its functions. Add ` +
        `import * as ${module} from "./${module}" there, and add ${module} to kit.app({ functions: { … } }).`,
    );
  }
  return problems;
}
