import { relative } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./checkout.mjs";
import { withDatabase } from "./development-database.mjs";
import { generateClient } from "./generate.mjs";
import { applyMigrations, dataLosses, pendingChanges, writeMigration } from "./migrations.mjs";

// npm run db:migrate [-- name] [--create-only] [--accept-data-loss] [--deploy]
//
// In development: writes a migration of what changed in prisma/schema.prisma, applies all that the database lacks, and
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

/** @param {string} url */
async function migrate(url) {
  const sql = await pendingChanges(url);
  if (deploying && sql) {
    throw new Error(
      `prisma/schema.prisma has changes that no migration makes:\n\n${sql}\nRun \`npm run db:migrate\` in development and commit the migration.`,
    );
  }
  if (sql || values["create-only"]) await create(sql ?? "-- Write the SQL here.\n");
  if (values["create-only"]) return console.log("Edit it, then apply it with `npm run db:migrate`.");

  const { applied, warnings } = await applyMigrations(url);
  for (const warning of warnings)
    console.warn(`Warning: ${warning} \`npm run db:reset\` makes a development database anew.`);
  for (const migration of applied) console.log(`Applied ${migration}`);
  if (applied.length === 0) console.log("The database has all migrations.");
  if (!deploying) await generateClient();
}

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
  const name = values.name ?? positionals.join("_");
  const path = await writeMigration((name || nameAfter(sql)).toLowerCase().replace(/\W+/g, "_"), sql);
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

await withDatabase(migrate).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
