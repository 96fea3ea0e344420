import { withClient } from "./database.mjs";

/**
 * Whether there is an administrator, who can use the dashboard.
 *
 * @param {string} url of the database
 * @returns {Promise<boolean>}
 */
export function hasAdministrator(url) {
  return withClient(url, async (client) => {
    const { rows } = await client.query(`SELECT EXISTS (SELECT FROM "_users" WHERE "isAdmin") AS found`);
    return rows[0].found;
  });
}

/**
 * @typedef {{ id: string, name: string, email: string, createdAt: Date, isAdmin: boolean, emailVerified: boolean }} Account
 */

/**
 * The account with this id or email address.
 *
 * @param {string} url of the database
 * @param {string} account
 * @returns {Promise<Account>}
 * @throws when there is no such account
 */
export function findAccount(url, account) {
  return withClient(url, async (client) => {
    const { rows } = await client.query(
      `SELECT "_id" AS id, "name", "email", "createdAt", "isAdmin", "emailVerified" FROM "_users"
       WHERE ("_id" = $1 OR "email" = lower($1)) AND "isAnonymous" IS NOT TRUE`,
      [account],
    );
    if (rows.length > 0) return rows[0];
    throw new Error(
      `There is no account with the id or email address ${JSON.stringify(account)}. Create it at /sign-in?new first.`,
    );
  });
}

/**
 * Makes an account an administrator, or takes that role away.
 *
 * @param {string} url of the database
 * @param {string} account its id or email address. An address does not prove whose account it is.
 * @param {boolean} isAdmin
 * @returns {Promise<Account & { changed: boolean }>}
 * @throws when there is no such account, or its address is not confirmed where the app sends mail
 */
export async function setAdministrator(url, account, isAdmin) {
  const found = await findAccount(url, account);
  if (isAdmin && process.env.SMTP_URL && !found.emailVerified) {
    throw new Error(
      `${describeAccount(found)} has not confirmed its email address, which anyone may have registered. Confirm it first.`,
    );
  }
  await withClient(url, (client) =>
    client.query('UPDATE "_users" SET "isAdmin" = $2 WHERE "_id" = $1', [found.id, isAdmin]),
  );
  return { ...found, isAdmin, changed: found.isAdmin !== isAdmin };
}

/**
 * Describes an account in one line. Its user chose the name, so control characters are escaped.
 *
 * @param {Account} account
 */
export const describeAccount = ({ id, name, email, createdAt }) =>
  `${quoted(name)} <${quoted(email).slice(1, -1)}>, created ${createdAt.toISOString()}, id ${id}`;

/** @param {string} text */
const quoted = (text) =>
  JSON.stringify(text).replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
