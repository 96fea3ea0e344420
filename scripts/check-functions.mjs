import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ROOT } from "./checkout.mjs";

// Part of `npm run check`, or of functions elsewhere: node scripts/check-functions.mjs <folder>. Clients cannot
// call the functions of a file that index.ts does not import, and the scheduler cannot find them.

const folder = resolve(process.argv[2] ?? join(ROOT, "src", "functions"));
const index = await readFile(join(folder, "index.ts"), "utf8");

/** A function that the builders of ~/kit make, or those that `.use` makes of them. */
const madeFunction = /^export const \w+ = \w*(query|mutation|action)(\.use\([^)]*\))*\(/im;

for (const name of (await readdir(folder)).filter((file) => file.endsWith(".ts") && file !== "index.ts")) {
  const text = await readFile(join(folder, name), "utf8");
  const module = name.slice(0, -".ts".length);
  if (!madeFunction.test(text) || index.includes(`"./${module}"`)) continue;
  console.error(
    `src/functions/${name} is not listed in src/functions/index.ts, so clients cannot call its functions. Add there: ` +
      `import * as ${module} from "./${module}", and ${module} to kit.app({ functions: { … } }).`,
  );
  process.exitCode = 1;
}
