import { randomBytes } from "node:crypto";
import { tsImport } from "tsx/esm/api";
import { withDatabase } from "./development-database.mjs";

// npm run restore-file [-- <storage id>…]
//
// Undoes deletions of files whose bytes are still kept (DELETED_FILE_RETENTION_HOURS); without an id, lists these files.
// A file comes back as it was. Rows that referred to it do not: unless one refers to it again, it is collected in time.

const storageIds = process.argv.slice(2);

await withDatabase(async (url) => {
  // It signs nothing, so that in development any secret will do.
  Object.assign(process.env, {
    DATABASE_URL: url,
    APP_SECRET: process.env.APP_SECRET ?? randomBytes(32).toString("hex"),
  });
  const { pools, prisma } = await tsImport("../src/kit/database/database.ts", import.meta.url);
  try {
    await (storageIds.length > 0 ? restore(prisma) : list());
  } finally {
    await Promise.all(Object.values(pools).map((pool) => pool.end()));
  }
}).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

/** @param {unknown} prisma */
async function restore(prisma) {
  const { restoreFile } = await tsImport("../src/kit/storage/ledger.ts", import.meta.url);
  const { parseStorageId } = await tsImport("../src/kit/storage/storage-id.ts", import.meta.url);
  for (const storageId of storageIds) {
    const restored = await restoreFile(prisma, parseStorageId(storageId));
    console.log(
      restored ? `Restored ${storageId}` : `Cannot restore ${storageId}: it is not deleted, or its bytes are gone`,
    );
    if (!restored) process.exitCode = 1;
  }
}

async function list() {
  const { listDeletedFiles } = await tsImport("../src/kit/storage/ledger.ts", import.meta.url);
  const files = await listDeletedFiles(1000);
  for (const { storageId, size, contentType, deletedAt, goneAt } of files) {
    const times = `deleted ${new Date(deletedAt).toISOString()}, kept until ${new Date(goneAt).toISOString()}`;
    console.log(`${storageId}  ${size} bytes  ${contentType ?? "no type"}  ${times}`);
  }
  if (files.length === 0) console.log("No deleted file is kept.");
}
