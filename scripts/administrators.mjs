import { withClient } from "./client.mjs";

/**
 * Whether anybody may use the dashboard.
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
 * Lets the account with this email address use the dashboard, or no longer.
 *
 * @param {string} url of the database
 * @param {string} email
 * @param {boolean} isAdmin
 * @returns {Promise<{ name: string, changed: boolean }>}
 * @throws when there is no such account
 */
export function setAdministrator(url, email, isAdmin) {
  return withClient(url, async (client) => {
    const { rows } = await client.query(
      `UPDATE "_users" AS account SET "isAdmin" = $2 FROM "_users" AS before
       WHERE account."_id" = before."_id" AND account."email" = lower($1) AND account."isAnonymous" IS NOT TRUE
       RETURNING account."name", before."isAdmin" <> $2 AS changed`,
      [email, isAdmin],
    );
    if (rows.length > 0) return rows[0];
    throw new Error(
      `There is no account with the email address ${JSON.stringify(email)}; create it at /sign-in?new first`,
    );
  });
}
