import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { tsImport } from "tsx/esm/api";
import { describeAccount, findAccount, setAdministrator } from "./administrators.mjs";
import { withDatabase } from "./database.mjs";

// Commands for an app that runs, on the database that DATABASE_URL names.
//
// npm run admin -- <account id> [--remove]
//   Makes an account an administrator, who can use the dashboard. The id is in the account's own menu.
// npm run sweep [-- --dry-run]
//   Deletes unreferenced files and bytes without an owner, as the server does every hour.
// npm run restore-file [-- <storage id>…]
//   Undoes deletions of files whose bytes are still kept (DELETED_FILE_RETENTION_HOURS). Without an id, lists those files.
//   Rows that referred to a file do not come back: the file is deleted again unless a new row refers to it.

const [command = "", ...args] = process.argv.slice(2);
const commands = { admin, sweep: () => withKit(sweep), "restore-file": () => withKit(restoreFiles) };

try {
  if (!Object.hasOwn(commands, command))
    throw new Error(`Usage: node scripts/operate.mjs ${Object.keys(commands).join("|")}`);
  await commands[/** @type {keyof typeof commands} */ (command)]();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function admin() {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { remove: { type: "boolean", default: false } },
  });
  const [account, ...more] = positionals;
  return withDatabase(async (url) => {
    if (!account || more.length > 0) throw new Error("Name one account by its id: npm run admin -- <account id>");
    if (account.includes("@") && !values.remove) {
      const found = await findAccount(url, account);
      throw new Error(
        `An email address does not prove whose account it is: anyone may have registered it first. It belongs to\n` +
          `  ${describeAccount(found)}\n` +
          `Sign in as that account and check that its menu shows this id. Then run: npm run admin -- ${found.id}`,
      );
    }
    const changed = await setAdministrator(url, account, !values.remove);
    const role = values.remove ? "is not an administrator" : "is an administrator, who can open /dashboard";
    console.log(`${describeAccount(changed)}, ${role}${changed.changed ? "" : ". Nothing changed"}.`);
  });
}

/**
 * Does `work` with the kit loaded and connected to the app's database.
 *
 * @param {(prisma: unknown) => Promise<void>} work
 */
function withKit(work) {
  return withDatabase(async (url) => {
    process.env.DATABASE_URL = url;
    // These commands sign nothing, so any secret will do in development.
    process.env.APP_SECRET ??= randomBytes(32).toString("hex");
    const { pools, prisma } = await load("database/database");
    try {
      await work(prisma);
    } finally {
      await Promise.all(Object.values(pools).map((pool) => pool.end()));
    }
  });
}

/** @param {string} module of the kit */
function load(module) {
  return tsImport(`../src/kit/${module}.ts`, import.meta.url);
}

async function sweep() {
  const { values } = parseArgs({ args, options: { "dry-run": { type: "boolean" } } });
  if (values["dry-run"]) return listUnreferenced();
  const { collectGarbage } = await load("storage/garbage-collection");
  const { files, bytes, blobs, reportOnly } = await collectGarbage();
  console.log(`${reportOnly ? "Would delete" : "Deleted"} ${files} unreferenced files (${bytes} bytes).`);
  console.log(`Deleted the bytes of ${blobs} files and uploads.`);
}

async function listUnreferenced() {
  const { countUnreferenced, listUnreferenced } = await load("storage/garbage-collection");
  const { findLooselyReferenced } = await load("storage/references");
  const { files, bytes } = await countUnreferenced();
  console.log(`A sweep would delete ${files} unreferenced files (${bytes} bytes).`);
  const shown = await listUnreferenced(1000);
  const { named, columns } = await findLooselyReferenced(shown);
  for (const id of shown) {
    console.log(`  ${id}${named.has(id) ? " (kept: a column without a foreign key names it)" : ""}`);
  }
  for (const { column, files } of columns) console.log(`  ${column} keeps ${files} of these. Give it a foreign key.`);
  if (shown.length < files) console.log(`  and ${files - shown.length} more`);
}

/** @param {unknown} prisma */
async function restoreFiles(prisma) {
  const { listDeletedFiles, restoreFile } = await load("storage/ownership");
  const { parseStorageId } = await load("storage/file");
  for (const storageId of args) {
    const restored = await restoreFile(prisma, parseStorageId(storageId));
    console.log(
      restored ? `Restored ${storageId}` : `Cannot restore ${storageId}: it is not deleted, or its bytes are gone.`,
    );
    if (!restored) process.exitCode = 1;
  }
  if (args.length > 0) return;

  const files = await listDeletedFiles(1000);
  for (const { storageId, size, contentType, deletedAt, goneAt } of files) {
    const times = `deleted ${new Date(deletedAt).toISOString()}, kept until ${new Date(goneAt).toISOString()}`;
    console.log(`${storageId}  ${size} bytes  ${contentType ?? "no type"}  ${times}`);
  }
  if (files.length === 0) console.log("There are no deleted files to restore.");
}
