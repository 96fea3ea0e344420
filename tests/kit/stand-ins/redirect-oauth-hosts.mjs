// GitHub and Google are at addresses that no setting changes. A program started with `--import …/redirect-oauth-hosts.mjs`
// reaches the stand-in at $OAUTH_STAND_IN instead.

import { redirectHosts } from "./redirect-hosts.mjs";

/**
 * Returns what undoes it.
 *
 * @param {string} standInUrl
 */
export const redirectOauthHosts = (standInUrl) =>
  redirectHosts(/^(oauth2\.googleapis\.com|github\.com|api\.github\.com)$/, standInUrl);

if (process.env.OAUTH_STAND_IN) redirectOauthHosts(process.env.OAUTH_STAND_IN);
