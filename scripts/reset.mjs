import { rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { seed } from "../prisma/seed.mjs";
import { DATA } from "./checkout.mjs";
import { withClient } from "./client.mjs";
import { configuredDatabase, withDatabase } from "./development-database.mjs";
import { applyMigrations } from "./migrations.mjs";

// npm run db:reset [-- --force]
//
// Deletes everything in the development database, makes its tables anew and seeds them.

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

const { values } = parseArgs({ options: { force: { type: "boolean" } } });

/** @param {string} url */
async function reset(url) {
  const { host, hostname, pathname } = new URL(url);
  if (!values.force && !LOOPBACK.includes(hostname)) {
    throw new Error(
      `The database is on ${hostname}, not on this machine. To delete it anyway: npm run db:reset -- --force`,
    );
  }
  await withClient(url, (client) => client.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public"));
  // Nothing knows the files any more. Those of a database of your own may lie anywhere: they are yours to delete.
  if (!configuredDatabase()) await rm(join(DATA, "storage"), { recursive: true, force: true });
  const { applied } = await applyMigrations(url);
  await seed(url);
  console.log(`Emptied ${pathname.slice(1)} on ${host}, applied ${applied.length} migrations, seeded it.`);
}

await withDatabase(reset).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
