import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { tsImport } from "tsx/esm/api";
import { describeAccount, findAccount, setAdministrator } from "./administrators.mjs";
import { ROOT } from "./checkout.mjs";
import { withClient, withDatabase } from "./database.mjs";
import { call, examine, printFindings, printFunctions, printLogs, withKit, withOperator } from "./operator.mjs";

// npm run kit -- <command>
//
// Commands for a running app. They use the database and the blob store that the settings name: those of development, or
// those of a deployment if its settings are in the environment.

const remote = {
  url: { type: /** @type {const} */ ("string") },
  token: { type: /** @type {const} */ ("string") },
};

/** @type {Record<string, { usage: string, help: string, run: () => unknown }>} */
const commands = {
  call: {
    usage: "<function> ['<arguments>'] [--as <email or id>]",
    help: "Runs a function, also an internal one, with the identity of a user or without one. Prints its result",
    run: () => {
      const { values, positionals } = parse({ as: { type: "string" }, ...remote }, 1, 2);
      const [name = "", given = "{}"] = positionals;
      return withOperator(values, (operator) => call(operator, { name, args: given, as: values.as }));
    },
  },
  functions: {
    usage: "",
    help: "Lists functions and HTTP actions",
    run: () => withOperator(parse(remote).values, printFunctions),
  },
  logs: {
    usage: "[--follow] [--failed] [--function <name>]",
    help: "Prints the latest calls of functions, with what they printed",
    run: () => {
      const { values } = parse({
        follow: { type: "boolean", default: false },
        failed: { type: "boolean", default: false },
        function: { type: "string" },
        ...remote,
      });
      return withOperator(values, (operator) => printLogs(operator, values));
    },
  },
  doctor: {
    usage: "",
    help: "Checks database, store, proxy, secrets, recurring functions and disk, and says how to repair what is wrong",
    run: doctor,
  },
  admin: {
    usage: "<account id> [--remove]",
    help: "Makes an account an administrator. Its id is in its own menu",
    run: admin,
  },
  sweep: {
    usage: "[--dry-run]",
    help: "Deletes unreferenced files and bytes without an owner, as the server does every hour",
    run: () => withKit(sweep),
  },
  "restore-file": {
    usage: "[<storage id>…]",
    help: "Restores deleted files whose bytes are still kept. Without an id, lists them",
    run: () => withKit(restoreFiles),
  },
  export: {
    usage: "<folder>",
    help: "Writes all rows of one moment, and the bytes of their files, into a folder. Again, only what is new",
    run: () => withBackup(exportTo),
  },
  import: {
    usage: "<folder>",
    help: "Brings an export into an empty database and an empty blob store of any kind",
    run: () => withBackup(importFrom),
  },
  reconcile: {
    usage: "[--repair] [--from <folder of an export>]",
    help: "Compares the rows of files with the blob store, and repairs the differences if asked",
    run: () => withKit((url) => withClient(url, reconcile)),
  },
  "storage:move": {
    usage: "--to <disk, s3 or vercel-blob>",
    help: "Copies all files to the other of two stores, while the app runs with both. Again, only what is new",
    run: () => withKit(moveFiles),
  },
  update: {
    usage: "<version> [--from <repository>]",
    help: "Brings the kit to another version",
    run: () => runScript("kit-update.mjs"),
  },
  "demos:remove": {
    usage: "",
    help: "Removes the demos and leaves an empty app that runs",
    run: () => runScript("remove-demos.mjs"),
  },
};

const [name = "help", ...args] = process.argv.slice(2);

try {
  if (["help", "--help", "-h"].includes(name)) console.log(usage());
  else if (Object.hasOwn(commands, name)) await commands[name]?.run();
  else throw new Error(`There is no command ${JSON.stringify(name)}.\n\n${usage()}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function usage() {
  const lines = Object.entries(commands).map(
    ([each, { usage, help }]) => `  ${[each, usage].join(" ").trim()}\n      ${help}.`,
  );
  return `npm run kit -- <command>

${lines.join("\n")}

call, functions, logs and doctor take --url <origin> for a deployment, and an administrator's token in KIT_TOKEN.`;
}

/**
 * @template {import("node:util").ParseArgsConfig["options"]} O
 * @param {O} options
 * @param {number} [least] of other arguments
 * @param {number} [most]
 */
function parse(options, least = 0, most = least) {
  const parsed = parseArgs({ args, allowPositionals: true, options });
  const count = parsed.positionals.length;
  if (count < least || count > most) throw new Error(`Usage: npm run kit -- ${name} ${commands[name]?.usage}`);
  return parsed;
}

/** @param {string} script with the arguments of this command */
function runScript(script) {
  const { status } = spawnSync(process.execPath, [join(ROOT, "scripts", script), ...args], { stdio: "inherit" });
  process.exitCode = status ?? 1;
}

async function doctor() {
  const findings = await examine(parse(remote).values);
  printFindings(findings);
  // Exits now, because a check without an answer would keep the process from ending.
  process.exit(findings.some(({ state }) => state === "problem") ? 1 : 0);
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

/** @param {(client: import("pg").Client, folder: string) => Promise<void>} work */
function withBackup(work) {
  const [folder = ""] = parse({}, 1).positionals;
  return withKit((url) => withClient(url, (client) => work(client, resolve(folder))));
}

/**
 * @param {import("pg").Client} client
 * @param {string} folder
 */
async function exportTo(client, folder) {
  const { exportApp } = await load("storage/backup");
  const { time, tables, copied, kept, erased, damaged } = await exportApp(client, folder);
  /** @type {number[]} */
  const counts = Object.values(tables);
  const rows = counts.reduce((sum, count) => sum + count, 0);
  console.log(
    `Exported ${rows} rows of ${time}. Copied the bytes of ${copied} files; those of ${kept} more were in the folder already.`,
  );
  for (const id of erased) console.log(`  File ${id} was erased meanwhile, and is not in the export.`);
  for (const id of damaged) console.error(`  File ${id} is damaged in the blob store, and is not in the export.`);
  if (damaged.length > 0) process.exitCode = 1;
}

/**
 * @param {import("pg").Client} client
 * @param {string} folder
 */
async function importFrom(client, folder) {
  const { importApp } = await load("storage/backup");
  const { time, rows, files, missing } = await importApp(client, folder);
  console.log(`Imported ${rows} rows of ${time}, and ${files} files whose digests are right.`);
  for (const id of missing) console.log(`  File ${id} is not in the export, and its row was deleted.`);
}

/** @param {import("pg").Client} client */
async function reconcile(client) {
  const { values } = parse({ repair: { type: "boolean", default: false }, from: { type: "string" } });
  const { compareWithStore, repair } = await load("storage/reconcile");
  const found = await compareWithStore(client);
  const { files, blobs, missing, orphans } = found;
  console.log(`Compared ${files} files with ${blobs} blobs.`);
  console.log(`${missing.length} files do not have their bytes, and ${orphans.length} blobs have no owner.`);
  for (const { key, size } of orphans) console.log(`  Blob ${key} has no owner (${size} bytes).`);
  const lost = values.repair ? await repair(client, found, values.from && resolve(values.from)) : missing;
  for (const { _id, size, stored } of lost) {
    console.log(
      `  File ${_id} has ${stored === null ? "no bytes" : `${stored} bytes instead of ${size}`} in the store.`,
    );
  }
  if (values.repair) {
    console.log(
      `Restored the bytes of ${missing.length - lost.length} files. Blobs without an owner are deleted in a day.`,
    );
  }
  if (lost.length > 0 || (orphans.length > 0 && !values.repair)) process.exitCode = 1;
}

/** @param {string} url of the database */
async function moveFiles(url) {
  const { values } = parse({ to: { type: "string", default: "" } });
  const { moveBlobs } = await load("storage/move");
  const { copied, bytes, kept, missing, damaged, uploads, isFirst } = await moveBlobs(url, values.to);
  console.log(`Copied ${copied} blobs (${bytes} bytes); ${kept} more were in ${values.to} already.`);
  for (const key of missing) console.error(`  Blob ${key} is in neither store.`);
  for (const key of damaged) console.error(`  Blob ${key} is damaged, and was not copied.`);
  if (missing.length + damaged.length > 0) process.exitCode = 1;
  if (!isFirst)
    console.log(`The app still writes to the other store. Set STORAGE_DRIVER=${values.to}, and run this again.`);
  else if (uploads > 0) console.log(`${uploads} uploads may still end in the old store. Run this again tomorrow.`);
  else if (!process.exitCode)
    console.log("The old store has nothing that is needed. Remove the settings SECOND_…, then it can go.");
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

async function restoreFiles() {
  const { prisma } = await load("database/database");
  const { restoreFile } = await load("storage/ownership");
  const { listDeletedFiles } = await load("storage/garbage-collection");
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
