import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { seed } from "../prisma/seed.mjs";
import { commandOf, DATA, generateClient, ROOT } from "./checkout.mjs";
import { configuredDatabase, hostOf, withClient, withDatabase } from "./database.mjs";
import { applyMigrations, markApplied, rememberSchema, writeMigration } from "./migrations.mjs";
import { dataLosses, pendingChanges, whereIsChange } from "./schema-changes.mjs";

// npm run db:migrate [-- name] [--create-only] [--accept-data-loss] [--deploy]
//   In development: writes a migration of what changed in prisma/schema, applies all migrations that the database lacks,
//   and generates the client. In production (NODE_ENV=production, CI, --deploy): only applies migrations.
// npm run db:reset [-- --force]
//   Deletes everything in the development database, creates its tables again and seeds them.
// npm run db:seed
//   Seeds the database if it is empty.
// npm run db:studio [-- --port 5555 --browser none]
//   Opens Prisma Studio on the database that the app uses.

const [command = "", ...args] = process.argv.slice(2);
const commands = { migrate, reset, seed: () => withDatabase(seedOnly), studio: () => withDatabase(studio) };

try {
  if (!Object.hasOwn(commands, command))
    throw new Error(`Usage: node scripts/db.mjs ${Object.keys(commands).join("|")}`);
  await commands[/** @type {keyof typeof commands} */ (command)]();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function migrate() {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      name: { type: "string" },
      "create-only": { type: "boolean", default: false },
      "accept-data-loss": { type: "boolean", default: false },
      deploy: { type: "boolean", default: false },
    },
  });
  const { VERCEL_ENV, MIGRATE_PREVIEWS = "" } = process.env;
  if (!["", "0", "1"].includes(MIGRATE_PREVIEWS))
    throw new Error(`MIGRATE_PREVIEWS is "${MIGRATE_PREVIEWS}". Put 1 there, or leave it out.`);
  // On Vercel, previews have production's variables by default, so they must not change that database.
  if (VERCEL_ENV === "preview" && MIGRATE_PREVIEWS !== "1") {
    console.log("Previews do not migrate. If previews have a database of their own, set MIGRATE_PREVIEWS=1 for them.");
    return;
  }
  const deploying = values.deploy || process.env.NODE_ENV === "production" || Boolean(process.env.CI);
  const createOnly = values["create-only"];

  await withDatabase(async (url) => {
    const sql = await pendingChanges(url);
    if (deploying && sql) {
      throw new Error(
        `prisma/schema has changes that no migration makes:\n\n${sql}\nRun \`npm run db:migrate\` in development and commit the migration.`,
      );
    }
    const name = (values.name ?? (positionals.join("_") || nameAfter(sql))).toLowerCase().replace(/\W+/g, "_");
    const isAdopted = sql !== null && (await adoptChange(url, sql, name));
    if (!isAdopted) {
      if (sql && !values["accept-data-loss"] && !createOnly) refuseDataLoss(sql);
      if (sql || createOnly) {
        const path = await writeMigration(name, sql ?? "-- Write the SQL here.\n");
        console.log(`Wrote ${relative(ROOT, path)}`);
      }
      if (createOnly) return console.log("Edit the migration, then apply it with `npm run db:migrate`.");

      const { applied, warnings } = await applyMigrations(url);
      for (const warning of warnings)
        console.warn(`Warning: ${warning} To start over in development: npm run db:reset`);
      for (const migration of applied) console.log(`Applied ${migration}`);
      if (applied.length === 0) console.log("The database has all migrations.");
      // A problem in the schema is only a warning here, because the migration is done.
      spawnSync(process.execPath, [join(ROOT, "scripts", "check.mjs"), "schema"], { stdio: "inherit" });
    }
    if (deploying) return;
    // Comments may have changed. While the files are equal, the next run needs no engine.
    if (!sql) await rememberSchema();
    await generateClient();
  });
}

/**
 * A name for a migration after its first statement about a table, such as `alter_messages`.
 *
 * @param {string | null} sql
 */
function nameAfter(sql) {
  const [, verb, table] = /^(CREATE|ALTER|DROP) TABLE "(\w+)"/m.exec(sql ?? "") ?? [];
  return verb ? `${verb}_${table}` : "change";
}

/**
 * Adopts a change that one of Prisma's own commands has already made. Returns false when the change is new.
 *
 * @param {string} url
 * @param {string} sql
 * @param {string} name of the migration, if one is written
 */
async function adoptChange(url, sql, name) {
  if ((await applyMigrations(url)).warnings.some((warning) => warning.includes("not here"))) {
    throw new Error(
      "The database has migrations that are not in prisma/migrations, and prisma/schema has changes. Nothing was done. Restore " +
        "the migrations (git checkout -- prisma/migrations, or the branch that has them), or create the database again: " +
        "npm run db:reset.",
    );
  }
  const { place, differences } = await whereIsChange(url, sql);
  switch (place) {
    case "nowhere":
      return false;
    case "migrations":
      await rememberSchema();
      console.log("A migration in prisma/migrations already makes this change. Nothing was done.");
      return true;
    case "database": {
      const path = await writeMigration(name, sql);
      await markApplied(url, path);
      console.log(
        `The database already has this change, for example from \`prisma db push\`. Wrote ${relative(ROOT, path)} for other ` +
          "databases, and recorded it as applied here.",
      );
      return true;
    }
    default:
      throw new Error(
        "The database was changed by other means than migrations, and it has only a part of this change. Nothing was done. This " +
          `SQL would make the database match prisma/schema:\n\n${differences}\nCreate the database again (npm run db:reset). Or run ` +
          "`npx prisma db push` and then npm run db:migrate, which writes the migration.",
      );
  }
}

/** @param {string} sql */
function refuseDataLoss(sql) {
  const losses = dataLosses(sql);
  if (losses.length === 0) return;
  throw new Error(
    [
      "This change deletes data. Nothing was done. The migration would be:",
      sql,
      "These lines delete data:",
      ...losses.map((line) => `  ${line}`),
      "To apply it: npm run db:migrate -- --accept-data-loss",
      "To edit the SQL first, for example for a rename: npm run db:migrate -- --create-only, then npm run db:migrate",
    ].join("\n"),
  );
}

function reset() {
  const { values } = parseArgs({ args, options: { force: { type: "boolean" } } });
  return withDatabase(async (url) => {
    const { pathname } = new URL(url);
    const host = hostOf(url);
    if (!values.force && !["localhost", "127.0.0.1", "::1"].includes(host) && !host.startsWith("/")) {
      throw new Error(
        `The database is on ${host}, not on this machine. To empty it anyway: npm run db:reset -- --force`,
      );
    }
    await withClient(url, (client) => client.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public"));
    // The files of a configured database may be anywhere. Deleting them is up to its owner.
    if (!configuredDatabase()) await rm(join(DATA, "storage"), { recursive: true, force: true });
    const { applied } = await applyMigrations(url);
    await seed(url);
    console.log(`Emptied ${pathname.slice(1)} on ${host}, applied ${applied.length} migrations and seeded it.`);
  });
}

/** @param {string} url */
async function seedOnly(url) {
  await seed(url);
  console.log("Seeded the database.");
}

/** @param {string} url */
async function studio(url) {
  const child = spawn(process.execPath, [commandOf("prisma"), "studio", ...args], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, DATABASE_URL: url },
  });
  const [code] = await once(child, "exit");
  process.exitCode = code ?? 1;
}
