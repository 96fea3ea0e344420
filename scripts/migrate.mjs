import { spawnSync } from "node:child_process";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./checkout.mjs";
import { withDatabase } from "./development-database.mjs";
import { generateClient } from "./generate.mjs";
import { applyMigrations, markApplied, rememberSchema, writeMigration } from "./migrations.mjs";
import { dataLosses, pendingChanges, whereIsChange } from "./schema-changes.mjs";

// npm run db:migrate [-- name] [--create-only] [--accept-data-loss] [--deploy]
//
// In development: writes a migration of what changed in prisma/schema, applies all that the database lacks, and
// generates the client. In production (NODE_ENV=production, CI, --deploy): applies only.

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: "string" },
    "create-only": { type: "boolean" },
    "accept-data-loss": { type: "boolean" },
    deploy: { type: "boolean" },
  },
});
const deploying = values.deploy || process.env.NODE_ENV === "production" || Boolean(process.env.CI);

// On Vercel a preview has production's variables unless somebody gave it others: it must not change that database.
const isPreview = process.env.VERCEL_ENV === "preview" && process.env.MIGRATE_PREVIEWS !== "1";

/** @param {string} url */
async function migrate(url) {
  const sql = await pendingChanges(url);
  if (deploying && sql) {
    throw new Error(
      `prisma/schema has changes that no migration makes:\n\n${sql}\nRun \`npm run db:migrate\` in development and commit the migration.`,
    );
  }
  if (sql && (await isElsewhere(url, sql))) {
    if (!deploying) await generateClient();
    return;
  }
  if (sql || values["create-only"]) await create(sql ?? "-- Write the SQL here.\n");
  if (values["create-only"]) return console.log("Edit it, then apply it with `npm run db:migrate`.");

  const { applied, warnings } = await applyMigrations(url);
  for (const warning of warnings)
    console.warn(`Warning: ${warning} \`npm run db:reset\` makes a development database anew.`);
  for (const migration of applied) console.log(`Applied ${migration}`);
  if (applied.length === 0) console.log("The database has all migrations.");
  // What it finds, it says; the migration is done.
  spawnSync(process.execPath, [join(ROOT, "scripts", "check-schema.mjs")], { stdio: "inherit" });
  if (!deploying) await generateClient();
}

/**
 * Whether the change was made by other means, and is dealt with: Prisma's own commands work beside this one.
 *
 * @param {string} url
 * @param {string} sql
 */
async function isElsewhere(url, sql) {
  if ((await applyMigrations(url)).warnings.some((warning) => warning.includes("not here"))) {
    throw new Error(
      "The database has migrations that are not in prisma/migrations, and prisma/schema has changes. Nothing was done. " +
        "Bring the migrations back (git checkout -- prisma/migrations, or the branch that has them), or make the database anew: " +
        "npm run db:reset.",
    );
  }
  const { place, differences } = await whereIsChange(url, sql);
  switch (place) {
    case "nowhere":
      return false;
    case "migrations":
      await rememberSchema();
      console.log(
        "A migration in prisma/migrations makes this change already (`prisma migrate dev` writes them): nothing to do.",
      );
      return true;
    case "database": {
      const path = await writeMigration(nameOf(sql), sql);
      await markApplied(url, path);
      console.log(
        `The database has this change already, as after \`prisma db push\`. Wrote ${relative(ROOT, path)} for the others, and noted it as applied.`,
      );
      return true;
    }
    default:
      throw new Error(
        "The database was changed by other means than migrations, and not all of the change is in it. Nothing was done. To become " +
          `what prisma/schema says it would need:\n\n${differences}\nMake the database anew (npm run db:reset), or finish by ` +
          "`npx prisma db push` and run npm run db:migrate again, which then writes the migration.",
      );
  }
}

/** @param {string} sql */
const nameOf = (sql) => (values.name ?? (positionals.join("_") || nameAfter(sql))).toLowerCase().replace(/\W+/g, "_");

/** @param {string} sql */
async function create(sql) {
  const losses = dataLosses(sql);
  if (losses.length > 0 && !values["accept-data-loss"] && !values["create-only"]) {
    throw new Error(
      [
        "This change deletes data. Nothing was done. The migration would be:",
        sql,
        "Deletes data:",
        ...losses.map((line) => `  ${line}`),
        "To do so: npm run db:migrate -- --accept-data-loss",
        "To write better SQL first (a rename, say): npm run db:migrate -- --create-only, then npm run db:migrate",
      ].join("\n"),
    );
  }
  const path = await writeMigration(nameOf(sql), sql);
  console.log(`Wrote ${relative(ROOT, path)}`);
}

/**
 * A name for a migration after its first statement about a table, such as `alter_messages`.
 *
 * @param {string} sql
 */
function nameAfter(sql) {
  const [, verb, table] = /^(CREATE|ALTER|DROP) TABLE "(\w+)"/m.exec(sql) ?? [];
  return verb ? `${verb}_${table}` : "change";
}

if (isPreview) {
  console.log(
    "A preview does not migrate its database. If it has one of its own, set MIGRATE_PREVIEWS=1 for previews.",
  );
  process.exit(0);
}

await withDatabase(migrate).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
