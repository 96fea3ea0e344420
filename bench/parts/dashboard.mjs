import pg from "pg";
import { queryPath } from "../app.mjs";
import { median } from "../report.mjs";

const count = 1_000_000;
const rounds = 9;
/** Calls before those that are measured: how long code takes for the first time is not how long it takes. */
const warmUp = 5;
/** Starts a job that looks at all files for seconds. */
const last = "files.refreshSweepPreview";
/** Milliseconds of server time that a call may take. */
const limit = 100;

/**
 * Every call of the dashboard on a database of a million files, each referred to, a million users, half of them visitors, and
 * a hundred thousand jobs that ended.
 *
 * @param {import("../bench.mjs").Bench} bench
 * @returns {Promise<import("../report.mjs").Result[]>}
 */
export async function dashboard({ load, newApp }) {
  const { port, databaseUrl } = await newApp();
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  try {
    await fill(database);
    const cookie = await signIn(port, database);
    const { query, mutation } = callsAs(cookie);
    const { id, uploaded, size } = await middle(database);
    const day = 86_400_000;
    const files = "dashboard.files.list";
    const job = "dashboard.schedule.jobs";
    const deep = `${uploaded}_${id}`;
    const rows = "dashboard.data.rows";
    /** @param {string} column @param {string} operator @param {string} value */
    const where = (column, operator, value) => ({ column, operator, value });
    const [{ id: fileId }] = (
      await database.query(`SELECT "_id" AS id FROM "files" ORDER BY "_id" OFFSET ${count / 2} LIMIT 1`)
    ).rows;
    const [user] = (
      await database.query(`SELECT "_id" AS id, floor(extract(epoch FROM "createdAt") * 1000)::float8 AS created
        FROM "_users" WHERE "isAnonymous" IS NOT TRUE ORDER BY "createdAt" OFFSET ${count / 4} LIMIT 1`)
    ).rows;
    /** @type {Record<string, () => Call | Promise<Call>>} */
    const calls = {
      "files.total": () => query("dashboard.files.total"),
      "files.list, the newest": () => query(files, {}),
      "files.list, half way": () => query(files, { cursor: deep }),
      "files.list by size, half way": () => query(files, { sort: "size", cursor: `${size}_${id}` }),
      "files.list of a kind, half way": () => query(files, { kind: "image", cursor: deep }),
      "files.list of a kind by size": () => query(files, { kind: "none", sort: "size", direction: "asc" }),
      "files.list of a day by size": () => query(files, { sort: "size", from: uploaded, before: uploaded + day }),
      "files.list of a kind and ten days by size": () =>
        query(files, { kind: "text", sort: "size", from: uploaded, before: uploaded + 10 * day }),
      "files.get": () => query("dashboard.files.get", { storageId: id }),
      "files.delete of 100": async () => mutation("dashboard.files.delete", { storageIds: await pick(database, 100) }),
      "files.generateUploadUrl": () => mutation("dashboard.files.generateUploadUrl", {}),
      "files.sweepPreview": () => query("dashboard.files.sweepPreview"),
      "functions.list": () => query("dashboard.functions.list"),
      "users.list": () => query("dashboard.users.list", {}),
      "users.list, half way": () => query("dashboard.users.list", { cursor: `${user.created}_${user.id}` }),
      "users.list of visitors": () => query("dashboard.users.list", { kind: "visitors" }),
      "users.list, found": () => query("dashboard.users.list", { search: "user777" }),
      "users.get": () => query("dashboard.users.get", { userId: user.id }),
      overview: () => query("dashboard.overview"),
      "settings.list": () => query("dashboard.settings.list"),
      "settings.api": () => query("dashboard.settings.api"),
      "data.tables": () => query("dashboard.data.tables"),
      "data.rows": () => query(rows, { table: "files" }),
      "data.rows, half way": () => query(rows, { table: "files", cursor: JSON.stringify([fileId]) }),
      "data.rows of a key": () => query(rows, { table: "files", filters: [where("storageId", "is", id)] }),
      "data.rows without an index, found": () =>
        query(rows, { table: "files", filters: [where("name", "contains", "BENCH")] }),
      "data.rows without an index, not found": () =>
        query(rows, { table: "files", filters: [where("name", "is", "nothing")] }),
      "data.rows by an index, very many": () =>
        query(rows, {
          table: "_scheduled_functions",
          filters: [where("state", "is", "success"), where("error", "contains", "x")],
        }),
      "data.row": () => query("dashboard.data.row", { table: "files", key: [fileId] }),
      "schedule.jobs, pending": () => query(job, { list: "pending" }),
      "schedule.jobs, recent": () => query(job, { list: "recent" }),
      "schedule.jobs, failed": () => query(job, { list: "failed" }),
      "schedule.crons": () => query("dashboard.schedule.crons"),
      "calls.list": () => query("dashboard.calls.list", {}),
      "calls.list with a text": () => query("dashboard.calls.list", { text: "nothing printed this" }),
      "calls.request": () => query("dashboard.calls.request", { requestId: id }),
      "calls.stats": () => query("dashboard.calls.stats", { hours: 168, buckets: 84 }),
      [last]: () => mutation("dashboard.files.refreshSweepPreview", {}),
    };
    const results = [];
    for (const [name, make] of Object.entries(calls)) {
      const measure = async () => 1000 * (await load.repeat({ port, concurrency: 1, calls: [await make()] }));
      // What it starts would be measured by the next.
      if (name !== last) for (let round = 0; round < warmUp; round++) await measure();
      const milliseconds = [];
      for (let round = 0; round < (name === last ? 1 : rounds); round++) milliseconds.push(await measure());
      const figure = median(milliseconds);
      results.push({ name, figure, target: `≤ ${limit}`, met: figure <= limit });
    }
    return [{ title: "The dashboard's calls on 1,000,000 files", unit: "ms", rows: results }];
  } finally {
    await database.end();
  }
}

/** @typedef {import("../load-process.mjs").Call} Call */

/** @param {pg.Client} database */
async function fill(database) {
  await database.query(`
    SET storage.row = '*';
    INSERT INTO "_storage" ("_id", "_creationTime", "sha256", "size", "contentType", "blobKey")
      SELECT uuidv7(), now() - number * interval '10 s', repeat('0', 64), (random() * 1e7)::bigint,
        (ARRAY['image/png', 'video/mp4', 'text/plain', 'application/pdf', NULL])[1 + number % 5], gen_random_uuid()
      FROM generate_series(1, ${count}) AS number;
    INSERT INTO "messages" ("_id", "author", "body", "format", "storageId")
      SELECT uuidv7(), 'bench', "_id"::text, 'image', "_id" FROM "_storage";
    INSERT INTO "files" ("_id", "name", "size", "storageId") SELECT uuidv7(), 'bench.png', "size", "_id" FROM "_storage";
    INSERT INTO "_users" ("_id", "name", "email", "isAnonymous", "createdAt", "updatedAt")
      SELECT gen_random_uuid()::text, 'User ' || number, 'user' || number || '@example.com', number % 2 = 0,
        now() - number * interval '1 s', now()
      FROM generate_series(1, ${count}) AS number;
    INSERT INTO "_scheduled_functions" ("_id", "name", "args", "scheduledTime", "completedTime", "state")
      SELECT uuidv7(), 'messages.sendOne', '{"json":{}}', now() - number * interval '5 s', now() - number * interval '5 s',
        (CASE WHEN number % 10 = 0 THEN 'failed' ELSE 'success' END)::"ScheduledState"
      FROM generate_series(1, ${count / 10}) AS number`);
  await database.query("VACUUM ANALYZE");
  await database.query("CHECKPOINT");
}

/** Signs up, and makes the account an administrator's. @param {number} port @param {pg.Client} database */
async function signIn(port, database) {
  const origin = `http://127.0.0.1:${port}`;
  const response = await fetch(`${origin}/api/auth/sign-up/email`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Origin: origin },
    body: JSON.stringify({ name: "Bench", email: "bench@example.com", password: "correct horse" }),
  });
  if (!response.ok) throw new Error(`Signing up answered ${response.status}: ${await response.text()}`);
  await database.query(`UPDATE "_users" SET "isAdmin" = true WHERE "email" = 'bench@example.com'`);
  return response.headers
    .getSetCookie()
    .map((set) => set.split(";")[0])
    .join("; ");
}

/** @param {string} cookie */
const callsAs = (cookie) => ({
  /** @type {(name: string, args?: object) => Call} */
  query: (name, args) => ({ path: queryPath(name, args), headers: { cookie } }),
  /** @type {(name: string, args: object) => Call} */
  mutation: (name, args) => ({
    method: "POST",
    path: `/api/trpc/${name}`,
    headers: { cookie, "Content-Type": "application/json" },
    body: JSON.stringify({ json: args }),
  }),
});

/** A file half way down the list. @param {pg.Client} database */
async function middle(database) {
  const { rows } = await database.query(`
    SELECT "_id" AS id, floor(extract(epoch FROM "_creationTime") * 1000)::float8 AS uploaded, "size"::float8 AS size
    FROM "_storage" ORDER BY "_creationTime" OFFSET ${count / 2} LIMIT 1`);
  return rows[0];
}

/** Ids of files. @param {pg.Client} database @param {number} howMany */
async function pick(database, howMany) {
  const { rows } = await database.query('SELECT "_id" FROM "_storage" ORDER BY "_id" LIMIT $1', [howMany]);
  return rows.map((row) => row._id);
}
