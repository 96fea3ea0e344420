import { z } from "zod";
import { Prisma } from "~/generated/prisma/client";
import { type Client, maintenance, prisma } from "../database/database";
import { env } from "../process/env";
import { listDeleted, permitRow } from "./ledger";
import { findLooselyReferenced, type LooseReference } from "./loose-references";
import { findReferences, type Reference, unreferenced } from "./references";
import { refuseForeignStore } from "./store-id";

const batch = 500;
/** Files that one run may collect, so that their ids fit into memory. */
const perRun = 100_000;

/** What a collection would remove, or has removed. */
export interface Collected {
  files: number;
  /** Of these files. */
  bytes: number;
}

/** How many files nothing refers to, that are older than the grace time. */
export async function countUnreferenced(): Promise<Collected> {
  const [row] = await maintenance.$queryRaw<{ files: number; bytes: number }[]>`
    SELECT count(*)::int AS files, coalesce(sum(s."size"), 0)::float AS bytes FROM "_storage" s
    WHERE ${await collectable()}`;
  return row ?? { files: 0, bytes: 0 };
}

/** The ids of the first `limit` of them, oldest first. */
export async function listUnreferenced(limit: number): Promise<string[]> {
  const rows = await maintenance.$queryRaw<{ id: string }[]>`
    SELECT s."_id"::text AS id FROM "_storage" s WHERE ${await collectable()}
    ORDER BY s."_creationTime", s."_id" LIMIT ${limit}`;
  return rows.map(({ id }) => id);
}

/**
 * Deletes these files, as `ctx.storage.delete` does: rows now, bytes by the sweeper. Several may run at once. Files that a
 * column without a foreign key names are left alone. Each run looks at 100,000 files at most, the oldest.
 */
export async function collectFiles(): Promise<Collected> {
  await refuseForeignStore();
  const candidates = await listUnreferenced(perRun);
  const { named, columns } = await findLooselyReferenced(candidates);
  await noteLooseReferences(columns);
  const references = await findReferences(maintenance);
  const ids = candidates.filter((id) => !named.has(id));
  const collected = { files: 0, bytes: 0 };
  for (let start = 0; start < ids.length; start += batch) {
    const { files, bytes } = await maintenance.$transaction(
      (client) => collectBatch(client as Client, references, ids.slice(start, start + batch)),
      { maxWait: 60_000, timeout: 5 * 60_000 },
    );
    collected.files += files;
    collected.bytes += bytes;
  }
  return collected;
}

async function collectBatch(client: Client, references: Reference[], ids: string[]): Promise<Collected> {
  // The lock comes first and the decision after it, by what is committed then: from here on no row can refer to these
  // files, and files that a transaction under way has just referred to are skipped.
  const locked = await client.$queryRaw<{ id: string }[]>`
    SELECT s."_id"::text AS id FROM "_storage" s
    WHERE s."_id" = ANY(${ids}::uuid[]) AND ${await collectable(references)}
    ORDER BY s."_id" FOR UPDATE SKIP LOCKED`;
  const [row] = await client.$queryRaw<Collected[]>`
    WITH ${permitRow("*")},
    gone AS (
      DELETE FROM "_storage" s USING permit
      WHERE s."_id" = ANY(${locked.map(({ id }) => id)}::uuid[]) AND ${await collectable(references)}
      RETURNING s.*
    ),
    listed AS (${listDeleted(false)})
    SELECT count(*)::int AS files, coalesce(sum("size"), 0)::float AS bytes FROM gone`;
  return row ?? { files: 0, bytes: 0 };
}

const looseKey = "looseReferences";

/** Says which columns keep files that have no foreign key, and remembers it for the dashboard. */
async function noteLooseReferences(columns: LooseReference[]): Promise<void> {
  for (const { column, files } of columns) {
    console.warn(
      `${column} names ${files} files without a foreign key to _storage. They are not collected, and deleting them leaves ` +
        "the column as it is; add the foreign key.",
    );
  }
  const value = columns.map(({ column, files }) => ({ column, files }));
  await maintenance.systemState.upsert({
    where: { key: looseKey },
    create: { key: looseKey, value },
    update: { value },
  });
}

/** What the last collection found of these. */
export async function readLooseReferences(): Promise<LooseReference[]> {
  const state = await prisma.systemState.findUnique({ where: { key: looseKey } });
  return state ? z.array(z.object({ column: z.string(), files: z.number() })).parse(state.value) : [];
}

/** True of a file `s` that is old enough, that nothing refers to, and that no job's arguments name. */
async function collectable(references?: Reference[]): Promise<Prisma.Sql> {
  const old = Prisma.sql`coalesce(s."restoredAt", s."_creationTime") < now() - make_interval(hours => ${env.UNREFERENCED_GRACE_HOURS})`;
  // Not NOT IN, which reads all that the jobs name for each file once it is too much for work_mem.
  const unnamed = Prisma.sql`NOT EXISTS (
    SELECT FROM "_scheduled_functions" AS job,
      regexp_matches(job."args"::text, '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}', 'g') AS id
    WHERE job."state" IN ('pending', 'inProgress') AND lower(id[1]) = s."_id"::text
  )`;
  return Prisma.sql`${old} AND ${unnamed} AND ${unreferenced(references ?? (await findReferences(maintenance)))}`;
}
