import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { tsImport } from "tsx/esm/api";
import { withDatabase } from "./development-database.mjs";

// npm run sweep [-- --dry-run]
//
// Collects the files that nothing refers to and deletes the bytes that nothing owns, as the server does every hour.

const { values } = parseArgs({ options: { "dry-run": { type: "boolean" } } });

await withDatabase(async (url) => {
  // A sweep signs nothing, so that in development any secret will do.
  Object.assign(process.env, {
    DATABASE_URL: url,
    APP_SECRET: process.env.APP_SECRET ?? randomBytes(32).toString("hex"),
  });
  const { pools } = await tsImport("../src/kit/database/database.ts", import.meta.url);
  try {
    await (values["dry-run"] ? list() : sweep());
  } finally {
    await Promise.all(Object.values(pools).map((pool) => pool.end()));
  }
});

async function list() {
  const { countUnreferenced, listUnreferenced } = await tsImport("../src/kit/storage/collect.ts", import.meta.url);
  const { files, bytes } = await countUnreferenced();
  console.log(`A sweep would delete ${files} files (${bytes} bytes) that nothing refers to.`);
  const shown = await listUnreferenced(1000);
  const { findLooselyReferenced } = await tsImport("../src/kit/storage/loose-references.ts", import.meta.url);
  const { named, columns } = await findLooselyReferenced(shown);
  for (const id of shown)
    console.log(`  ${id}${named.has(id) ? " (kept: a column without a foreign key names it)" : ""}`);
  for (const { column, files } of columns) console.log(`  ${column} keeps ${files} of these; give it a foreign key`);
  if (shown.length < files) console.log(`  and ${files - shown.length} more`);
}

async function sweep() {
  const { sweep } = await tsImport("../src/kit/storage/sweep.ts", import.meta.url);
  const { files, bytes, blobs, reportOnly } = await sweep();
  console.log(`${reportOnly ? "Would delete" : "Deleted"} ${files} files (${bytes} bytes) that nothing refers to.`);
  console.log(`Deleted the bytes of ${blobs} files and uploads.`);
}
