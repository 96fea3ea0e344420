import { parseArgs } from "node:util";
import { setAdministrator } from "./administrators.mjs";
import { withDatabase } from "./development-database.mjs";

// npm run admin -- ada@example.com [--remove]
//
// Lets an account use the dashboard, or no longer. Email addresses are not confirmed: see that the account is its owner's.

const { values, positionals } = parseArgs({ allowPositionals: true, options: { remove: { type: "boolean" } } });
const [email, ...more] = positionals;

/** @param {string} url */
async function admin(url) {
  if (!email || more.length > 0) throw new Error("Name one account: npm run admin -- ada@example.com");
  const { name, changed } = await setAdministrator(url, email, !values.remove);
  const now = values.remove ? "no longer an administrator" : "an administrator, who may open /dashboard";
  console.log(`${name} <${email}> is ${now}${changed ? "" : ", and was so before"}.`);
}

await withDatabase(admin).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
