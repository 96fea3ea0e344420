import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./checkout.mjs";

// Part of `npm run check`: a column that is named like a storage id but has no foreign key to Storage would have its
// files collected, since nothing the database knows of refers to them. The server checks the same of its database.

const schema = await readFile(join(ROOT, "prisma", "schema.prisma"), "utf8");

/** @type {string[]} */
const loose = [];
for (const [, model = "", body = ""] of schema.matchAll(/^model (\w+) \{\n(.*?)^\}/gms)) {
  const related = [...body.matchAll(/\sStorage\??\s.*@relation\([^)]*fields:\s*\[([^\]]+)\]/g)].flatMap(
    ([, fields = ""]) => fields.split(",").map((field) => field.trim()),
  );
  for (const [, field = ""] of body.matchAll(/^\s+(\w*storage_?ids?)\s/gim)) {
    if (!related.includes(field)) loose.push(`${model}.${field}`);
  }
}

if (loose.length > 0) {
  console.error(
    `${loose.join(", ")} looks like a storage id without a foreign key: its files would be collected as unreferenced. ` +
      "Add a relation to Storage, or rename it.",
  );
  process.exitCode = 1;
}
