import pg from "pg";
import { Pool } from "../database/connections";
import { directDatabaseUrl, pools } from "../database/database";
import { DatabaseUnavailable, sqlState } from "../database/errors";
import { processWide } from "../process/process-wide";
import { anyTable, liveBy, liveByState, models, viewTables } from "./reads";

interface Relation {
  name: string;
  kind: "table" | "view" | "materialized view";
  isWatched: boolean;
  /** The column whose values its changes name, if any. */
  column: string | null;
}

const insufficientPrivilege = "42501";

/**
 * Gives every table of the app's models the triggers that announce its changes, also tables that were not made by
 * `npm run db:migrate`. A view is as live as the tables that it reads. Warns about what cannot be live, and about tables and
 * columns of models that the database lacks. Returns `false` when tables of the kit are among them.
 */
export async function watchModels(): Promise<boolean> {
  const missing = await findMissing();
  const lacks = missing.length > 0 ? `${describeMissing(missing)} ${migrateModels}` : "";
  if (lacks && lacks !== told.lacks) console.warn(lacks);
  told.lacks = lacks;
  // The migrations that make these tables make the functions below, too.
  if (missing.some(({ name, column }) => name.startsWith('"_') && column === null)) return false;
  const relations = await readRelations();
  const unwatched = relations.filter(({ kind, isWatched }) => kind === "table" && !isWatched);
  const renamed = (liveByState.isKnown ? relations : []).flatMap(({ name, column }) => {
    const wanted = liveBy.get(unqualified(name)) ?? null;
    return wanted === column ? [] : [{ name, wanted }];
  });
  const watch = async (pool: Pick<Pool, "sql">) => {
    for (const { name } of unwatched) await pool.sql(`SELECT "watch_table"(to_regclass($1))`, [name]);
    await pool.sql(`SELECT "watch_tables"()`);
    for (const { name, wanted } of renamed)
      await pool.sql(`SELECT "watch_values"(to_regclass($1), $2)`, [name, wanted]);
  };
  const isDone = (await isAllowed(watch(pools.upkeep))) || (await overDirectConnection(watch));
  const denied = isDone ? "" : describeDenied(unwatched, renamed);
  if (denied && denied !== told.denied) console.warn(denied);
  told.denied = denied;
  for (const { name, kind } of relations) {
    if (kind === "view") viewTables.set(unqualified(name), await tablesOf(name));
    if (kind === "materialized view") {
      viewTables.set(unqualified(name), [anyTable]);
      console.warn(
        `Queries of ${name} are not live: PostgreSQL does not announce when a materialized view is refreshed.`,
      );
    }
  }
  return true;
}

/** Development looks every few seconds, and warns once. */
const told = processWide("told of missing tables", () => ({ lacks: "", denied: "" }));

/** Whether the role may do this work, which it has begun. */
const isAllowed = (work: Promise<void>): Promise<boolean> =>
  work.then(
    () => true,
    (error) => {
      if (sqlState(error) !== insufficientPrivilege) throw error;
      return false;
    },
  );

/** Does `work` with the role of the direct connection, which owns the tables where it migrates. Returns whether it could. */
async function overDirectConnection(work: (pool: Pool) => Promise<void>): Promise<boolean> {
  const url = directDatabaseUrl();
  if (!url) return false;
  const direct = new Pool({ url, size: 1, statementTimeout: pools.upkeep.statementTimeout });
  try {
    return await isAllowed(work(direct));
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return false;
    throw error;
  } finally {
    await direct.end();
  }
}

/** Says which triggers the app's role may not make, and what to run instead. `""` when there is nothing to make. */
function describeDenied(unwatched: Relation[], renamed: { name: string; wanted: string | null }[]): string {
  const names = unwatched.map(({ name }) => name).join(", ");
  const literal = (text: string | null) => (text === null ? "NULL" : pg.escapeLiteral(text));
  const calls = renamed.map(({ name, wanted }) => `SELECT "watch_values"(${literal(name)}, ${literal(wanted)});`);
  return [
    ...(names
      ? [
          `Queries of ${names} are not live: the tables have no triggers that announce changes, and the app's role ` +
            "may not make them. Run `npm run db:migrate -- --deploy` as the role that owns them.",
        ]
      : []),
    ...(calls.length > 0
      ? [
          "The `liveBy` of createKit has no effect yet: the app's role may not change the triggers of these tables. Run this " +
            `SQL as the role that owns them, or set DIRECT_DATABASE_URL to that role:\n${calls.join("\n")}`,
        ]
      : []),
  ].join("\n");
}

/** What to do when the database lacks tables or columns of models. */
export const migrateModels =
  "Run `npm run db:migrate -- <name>`, which writes and runs a migration; where the app is deployed, run `npm run db:migrate -- --deploy`.";

/** A table, a view, or a column of one, that the database does not have. */
interface Missing {
  model: string;
  /** Of the table or view, quoted. */
  name: string;
  column: string | null;
}

/** Finds what the models need and the database does not have. */
export function findMissing(pool: Pick<typeof pools.upkeep, "sql"> = pools.upkeep): Promise<Missing[]> {
  const wanted = Object.entries(models).flatMap(([model, { fields }]): Missing[] => {
    const columns = fields.filter(({ relationName }) => !relationName).map(({ name, dbName }) => dbName ?? name);
    return [null, ...columns].map((column) => ({ model, name: tableOf(model), column }));
  });
  return pool.sql<Missing>(
    `SELECT model, name, "column" FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS wanted(model, name, "column", place)
    WHERE CASE WHEN "column" IS NULL THEN to_regclass(name) IS NULL ELSE to_regclass(name) IS NOT NULL AND NOT EXISTS (
      SELECT FROM pg_attribute WHERE attrelid = to_regclass(name) AND attname = "column" AND NOT attisdropped
    ) END ORDER BY place`,
    [wanted.map(({ model }) => model), wanted.map(({ name }) => name), wanted.map(({ column }) => column)],
  );
}

const maxNamed = 10;

/** A sentence that names what `findMissing` found. */
export function describeMissing(missing: Missing[]): string {
  const named = missing
    .slice(0, maxNamed)
    .map(({ model, name, column }) =>
      column ? `the column "${column}" of ${name}` : `the table ${name} of the model ${model}`,
    );
  const more = missing.length > maxNamed ? `, and ${missing.length - maxNamed} more` : "";
  return `The database lacks ${named.join(", ")}${more}.`;
}

/** The name of a model's table or view, quoted. */
function tableOf(model: string): string {
  const { dbName, schema } = models[model] ?? {};
  const quoted = `"${dbName ?? model}"`;
  return schema ? `"${schema}".${quoted}` : quoted;
}

const readRelations = () =>
  pools.upkeep.sql<Relation>(
    `SELECT name, CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'table' END AS kind,
      coalesce(obj_description(pg_class.oid, 'pg_class') = 'silent', false) OR coalesce("is_watched"(pg_class.oid), false) AS "isWatched",
      (SELECT "watched_column"(pg_class.oid)) AS "column"
    FROM unnest($1::text[]) AS name JOIN pg_class ON pg_class.oid = to_regclass(name)`,
    [Object.keys(models).map(tableOf)],
  );

/** The tables that a view reads, through other views too. */
async function tablesOf(view: string): Promise<string[]> {
  const rows = await pools.upkeep.sql<{ name: string }>(
    `WITH RECURSIVE source AS (
      SELECT to_regclass($1)::oid AS relation
      UNION
      SELECT used.refobjid FROM source
      JOIN pg_rewrite AS rule ON rule.ev_class = source.relation
      JOIN pg_depend AS used ON used.classid = 'pg_rewrite'::regclass AND used.objid = rule.oid
        AND used.refclassid = 'pg_class'::regclass AND used.refobjid <> source.relation
    )
    SELECT DISTINCT relname::text AS name FROM source JOIN pg_class ON pg_class.oid = relation WHERE relkind IN ('r', 'p')`,
    [view],
  );
  return rows.map(({ name }) => name);
}

const unqualified = (name: string) => name.split(".").at(-1)?.replaceAll('"', "") ?? name;
