import { pools } from "../database/database";
import { sqlState } from "../database/errors";
import { anyTable, liveBy, liveByState, models, viewTables } from "./reads";

interface Relation {
  name: string;
  kind: "table" | "view" | "materialized view" | "missing";
  isWatched: boolean;
  /** The column whose values its changes name, if any. */
  column: string | null;
}

const insufficientPrivilege = "42501";

/**
 * Gives every table of the app's models the triggers that announce its changes, also tables that were not made by
 * `npm run db:migrate`. A view is as live as the tables that it reads. Warns about what cannot be live.
 */
export async function watchModels(): Promise<void> {
  const relations = await readRelations();
  const unwatched = relations.filter(({ kind, isWatched }) => kind === "table" && !isWatched);
  try {
    for (const { name } of unwatched) await pools.upkeep.sql(`SELECT "watch_table"(to_regclass($1))`, [name]);
    await pools.upkeep.sql(`SELECT "watch_tables"()`);
    for (const { name, column } of liveByState.isKnown ? relations : []) {
      const wanted = liveBy.get(unqualified(name)) ?? null;
      if (wanted !== column) await pools.upkeep.sql(`SELECT "watch_values"(to_regclass($1), $2)`, [name, wanted]);
    }
  } catch (error) {
    if (sqlState(error) !== insufficientPrivilege) throw error;
    const names = unwatched.map(({ name }) => name);
    if (names.length > 0) {
      console.warn(
        `Queries of ${names.join(", ")} are not live: the tables have no triggers that announce changes, and the app's role ` +
          "may not make them. Run `npm run db:migrate -- --deploy` as the role that owns them.",
      );
    }
  }
  for (const { name, kind } of relations) {
    if (kind === "view") viewTables.set(unqualified(name), await tablesOf(name));
    if (kind === "materialized view") {
      viewTables.set(unqualified(name), [anyTable]);
      console.warn(
        `Queries of ${name} are not live: PostgreSQL does not announce when a materialized view is refreshed.`,
      );
    }
  }
}

async function readRelations(): Promise<Relation[]> {
  const names = Object.entries(models).map(([model, { dbName, schema }]) => {
    const quoted = `"${dbName ?? model}"`;
    return schema ? `"${schema}".${quoted}` : quoted;
  });
  return pools.upkeep.sql<Relation>(
    `SELECT name, coalesce(CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'table' END, 'missing') AS kind,
      coalesce(obj_description(pg_class.oid, 'pg_class') = 'silent', false) OR coalesce("is_watched"(pg_class.oid), false) AS "isWatched",
      (SELECT "watched_column"(pg_class.oid)) AS "column"
    FROM unnest($1::text[]) AS name LEFT JOIN pg_class ON pg_class.oid = to_regclass(name)`,
    [names],
  );
}

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
