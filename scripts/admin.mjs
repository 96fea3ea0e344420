import { parseArgs } from "node:util";
import { describeAccount, findAccount, setAdministrator } from "./administrators.mjs";
import { withDatabase } from "./development-database.mjs";

// npm run admin -- <account id> [--remove]
//
// Lets an account use the dashboard, or no longer. The id is in the account's own menu. An email address finds an account
// and does not promote it: whoever registers an address first has it, and it need not be theirs.

const { values, positionals } = parseArgs({ allowPositionals: true, options: { remove: { type: "boolean" } } });
const [account, ...more] = positionals;

/** @param {string} url */
async function admin(url) {
  if (!account || more.length > 0) throw new Error("Name one account by its id: npm run admin -- <account id>");
  if (account.includes("@") && !values.remove) {
    const found = await findAccount(url, account);
    throw new Error(
      `An email address does not say whose account it is: anybody may have registered it first. There is\n` +
        `  ${describeAccount(found)}\n` +
        `Sign in as that account, and see that its menu shows this id. Then run: npm run admin -- ${found.id}`,
    );
  }
  const changed = await setAdministrator(url, account, !values.remove);
  const now = values.remove ? "no longer an administrator" : "an administrator, who may open /dashboard";
  console.log(`${describeAccount(changed)}, is ${now}${changed.changed ? "" : ", and was so before"}.`);
}

await withDatabase(admin).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
