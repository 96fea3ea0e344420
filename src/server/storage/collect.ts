import { Prisma } from "~/generated/prisma/client";
import { type Client, prisma } from "../database";
import { env } from "../env";
import { findReferences, type Reference, unreferenced } from "./references";

const batch = 500;

/** What a collection would remove, or has removed. */
export interface Collected {
  files: number;
  /** Of these files. */
  bytes: number;
}

/** How many files nothing refers to, that are older than the grace time. */
export async function countUnreferenced(): Promise<Collected> {
  const [row] = await prisma.$queryRaw<{ files: number; bytes: number }[]>`
    SELECT count(*)::int AS files, coalesce(sum(s."size"), 0)::float AS bytes FROM "_storage" s
    WHERE ${await collectable()}`;
  return row ?? { files: 0, bytes: 0 };
}

/** The ids of the first `limit` of them, oldest first. */
export async function listUnreferenced(limit: number): Promise<string[]> {
  const rows = await prisma.$queryRaw<{ id: string }[]>`
    SELECT s."_id"::text AS id FROM "_storage" s WHERE ${await collectable()}
    ORDER BY s."_creationTime", s."_id" LIMIT ${limit}`;
  return rows.map(({ id }) => id);
}

/** Deletes these files, as `ctx.storage.delete` does: rows now, bytes by the sweeper. Several may run at once. */
export async function collectFiles(): Promise<Collected> {
  const references = await findReferences(prisma);
  const collected = { files: 0, bytes: 0 };
  let after = new Date(0);
  for (;;) {
    const run = (client: unknown) => collectBatch(client as Client, references, after);
    const { found, newest, files, bytes } = await prisma.$transaction(run);
    collected.files += files;
    collected.bytes += bytes;
    if (found < batch || !newest) return collected;
    after = newest;
  }
}

async function collectBatch(client: Client, references: Reference[], after: Date) {
  // The lock comes first and the decision after it, by what is committed then: from here on no row can refer to these
  // files, and files that a transaction under way has just referred to are skipped.
  const locked = await client.$queryRaw<{ id: string; created: Date }[]>`
    SELECT s."_id"::text AS id, s."_creationTime" AS created FROM "_storage" s
    WHERE s."_creationTime" >= ${after} AND ${await collectable(references)}
    ORDER BY s."_creationTime" LIMIT ${batch} FOR UPDATE SKIP LOCKED`;
  const ids = locked.map(({ id }) => id);
  const [row] = await client.$queryRaw<{ files: number; bytes: number }[]>`
    WITH permit AS MATERIALIZED (SELECT set_config('storage.row', '*', true)),
    gone AS (
      DELETE FROM "_storage" s USING permit WHERE s."_id"::text = ANY(${ids}) AND ${await collectable(references)}
      RETURNING s."blobKey", s."size"
    ),
    listed AS (
      INSERT INTO "_unowned_blobs" ("blobKey", "deleteAfter", "condemned") SELECT "blobKey", now(), true FROM gone
    )
    SELECT count(*)::int AS files, coalesce(sum("size"), 0)::float AS bytes FROM gone`;
  return { found: ids.length, newest: locked.at(-1)?.created, files: row?.files ?? 0, bytes: row?.bytes ?? 0 };
}

/** True of a file `s` that is old enough, that nothing refers to, and that no job's arguments name. */
async function collectable(references?: Reference[]): Promise<Prisma.Sql> {
  const old = Prisma.sql`s."_creationTime" < now() - make_interval(hours => ${env.UNREFERENCED_GRACE_HOURS})`;
  // Not NOT IN, which reads all that the jobs name for each file once it is too much for work_mem.
  const unnamed = Prisma.sql`NOT EXISTS (
    SELECT FROM "_scheduled_functions" AS job,
      regexp_matches(job."args"::text, '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}', 'g') AS id
    WHERE job."state" IN ('pending', 'inProgress') AND lower(id[1]) = s."_id"::text
  )`;
  return Prisma.sql`${old} AND ${unnamed} AND ${unreferenced(references ?? (await findReferences(prisma)))}`;
}
