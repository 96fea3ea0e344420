import pg from "pg";
import { queryPath, signIn } from "../app.mjs";
import { compare } from "../report.mjs";

const few = 1_000;
const many = 1_000_000;
const rounds = 7;

/**
 * What depends on how much is stored: the same calls on a database of a thousand files and on one of a million.
 *
 * @param {import("../bench.mjs").Bench} bench
 */
export async function rows({ load, newApp }) {
  const small = await fill(await newApp(), few);
  const large = await fill(await newApp(), many);
  try {
    const measures = { "messages.list": list, "files.getUrl": getUrl, "files.delete": remove };
    const results = [];
    for (const [title, measure] of Object.entries(measures)) {
      const contenders = [
        { name: "1,000,000 files", measure: () => measure(load, large) },
        { name: "1,000 files", measure: () => measure(load, small), target: 1.5 },
      ];
      results.push(await compare({ title, unit: "ms", lessIsBetter: true, rounds, contenders }));
    }
    return results;
  } finally {
    await small.database.end();
    await large.database.end();
  }
}

/** @typedef {{ port: number, database: pg.Client, headers: { Cookie: string } }} Filled `headers` are the owner's */
/** @typedef {import("../load.mjs").Load} Load */

/**
 * Every file has a row in both tables that refer to files.
 *
 * @param {import("../bench.mjs").App} app
 * @param {number} count
 * @returns {Promise<Filled>}
 */
async function fill({ port, databaseUrl }, count) {
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  const { headers, id } = await signIn(port);
  const owner = `next-trpc-storage|${id}`;
  await database.query(`
    SET storage.row = '*';
    INSERT INTO "_storage" ("_id", "sha256", "size", "contentType", "blobKey", "owner", "claimed")
      SELECT uuidv7(), repeat('0', 64), 20000, 'image/png', gen_random_uuid(), '${owner}', true
      FROM generate_series(1, ${count});
    INSERT INTO "messages" ("_id", "author", "body", "format", "storageId")
      SELECT uuidv7(), 'bench', "_id"::text, 'image', "_id" FROM "_storage";
    INSERT INTO "files" ("_id", "name", "size", "contentType", "storageId", "owner")
      SELECT uuidv7(), 'bench.png', "size", "contentType", "_id", "owner" FROM "_storage"`);
  await database.query("VACUUM ANALYZE");
  // What else the inserts left to do is not the calls'.
  await database.query("CHECKPOINT");
  return { port, database, headers };
}

/** @param {Load} load @param {Filled} filled */
async function list(load, { port }) {
  const calls = Array.from({ length: 100 }, () => ({ path: queryPath("messages.list") }));
  return (1000 * (await load.repeat({ port, concurrency: 1, calls }))) / calls.length;
}

/** @param {Load} load @param {Filled} filled */
async function getUrl(load, filled) {
  const { headers } = filled;
  const calls = (await pick(filled, 300)).map((storageId) => ({
    path: queryPath("files.getUrl", { storageId }),
    headers,
  }));
  return (1000 * (await load.repeat({ port: filled.port, concurrency: 1, calls }))) / calls.length;
}

/** @param {Load} load @param {Filled} filled */
async function remove(load, filled) {
  const headers = { "Content-Type": "application/json", ...filled.headers };
  const calls = (await pick(filled, 50)).map((storageId) => {
    return { method: "POST", path: "/api/trpc/files.delete", headers, body: JSON.stringify({ json: { storageId } }) };
  });
  return (1000 * (await load.repeat({ port: filled.port, concurrency: 1, calls }))) / calls.length;
}

/** Ids from all over the table. @param {Filled} filled @param {number} count @returns {Promise<string[]>} */
async function pick({ database }, count) {
  const { rows } = await database.query('SELECT "_id" FROM "_storage" ORDER BY md5("_id"::text) LIMIT $1', [count]);
  return rows.map((row) => row._id);
}
