import { readFile } from "node:fs/promises";
import { readSchema } from "./schema.mjs";

// Part of `npm run check`, or of a schema elsewhere: node scripts/check-schema.mjs <path>. What Prisma takes, and goes
// wrong later:
// - a column that is named like a storage id but has no foreign key to Storage would have its files collected, since
//   nothing the database knows of refers to them. The server checks the same of its database;
// - a required file that is to be set to null when it is deleted cannot be deleted.

const schema = process.argv[2] ? await readFile(process.argv[2], "utf8") : await readSchema();

/** @type {string[]} */
const problems = [];
for (const [, model = "", body = ""] of schema.matchAll(/^model (\w+) \{\n(.*?)^\}/gms)) {
  /** @type {string[]} */
  const related = [];
  for (const [, type, options = ""] of body.matchAll(/\s(Storage\??)\s.*@relation\(([^)]*)/g)) {
    const fields =
      /fields:\s*\[([^\]]+)\]/
        .exec(options)?.[1]
        ?.split(",")
        .map((field) => field.trim()) ?? [];
    related.push(...fields);
    if (type === "Storage" && /onDelete:\s*SetNull/.test(options)) {
      problems.push(
        `${model}.${fields.join(", ")} is required, so that its file could never be deleted: make it optional, or let the ` +
          "row go with the file by `onDelete: Cascade`.",
      );
    }
  }
  for (const [, field = ""] of body.matchAll(/^\s+(\w*storage_?ids?)\s/gim)) {
    if (related.includes(field)) continue;
    problems.push(
      `${model}.${field} looks like a storage id without a foreign key: its files would be collected as unreferenced. ` +
        "Add a relation to Storage, or rename it.",
    );
  }
}

for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
