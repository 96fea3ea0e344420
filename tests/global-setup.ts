import { prepareTemplate, startTestPostgres } from "../scripts/test-postgres.mjs";

/**
 * Gives the tests a PostgreSQL: that of `TEST_DATABASE_URL`, or one of their own, thrown away after them. Test files
 * take their databases from `createDatabase`.
 */
export default async function setup() {
  if (process.env.TEST_DATABASE_URL) return void (await prepareTemplate(process.env.TEST_DATABASE_URL));
  const server = await startTestPostgres();
  process.env.TEST_DATABASE_URL = server.url;
  return server.stop;
}
