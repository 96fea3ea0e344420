import { z } from "zod";
import { Prisma } from "~/generated/prisma/client";
import { maintenance, prisma } from "../database/database";
import { alone } from "../database/transaction";
import { internalAction } from "../functions/builders";
import { createSystemContext } from "../functions/request-context";
import { register } from "../functions/server-function";
import { scheduler } from "../jobs/scheduler";
import { env } from "../process/env";
import { deleteUnownedBlobsSoon } from "../storage/garbage-collection";
import { deleteFiles, uploadHours } from "../storage/ownership";
import { ownIssuer, tokenIdentifier } from "./issuers";
import { accountOptions, columnsOf, findUnlistedOwners } from "./owners";

/** Days after which an account that owns nothing is deleted if its address was not confirmed. */
const unconfirmedDays = 7;

/** Minutes after a deletion when rows are deleted that were still being written. Jobs and actions may run for long. */
const leftoverMinutes = [1, 60, (uploadHours + 1) * 60];

/**
 * Permanently deletes what an account owns: the rows in the models of `owners`, and its files. When the account is deleted,
 * call `deleteLeftovers`.
 */
export async function deleteBelongings({ id, email }: { id: string; email: string }): Promise<void> {
  const { runAfter } = scheduler(createSystemContext(), alone);
  // First, so that a crash does not prevent them. They do nothing as long as there is the account.
  const owner = tokenIdentifier(id);
  for (const minutes of leftoverMinutes) await runAfter(minutes * 60_000, forget, { owner });
  await deleteOwned(owner);
  // Without this, mails to the account would stay among the jobs for a week, and what functions printed would stay in the
  // log.
  await prisma.$executeRaw`
    DELETE FROM "_scheduled_functions" WHERE lower("args" -> 'json' ->> 'to') = ${email} AND "state" <> 'inProgress'`;
  await prisma.$executeRaw`
    DELETE FROM "_calls" WHERE concat("error", "lines"::text) ILIKE ANY(ARRAY[${containing(email)}, ${containing(id)}])`;
}

/** Refuses uploads for an account that was deleted, and deletes what was written for it during its deletion. */
export async function deleteLeftovers({ id }: { id: string }): Promise<void> {
  if ((await prisma.user.count({ where: { id } })) > 0) return;
  const owner = tokenIdentifier(id);
  await prisma.$executeRaw`
    INSERT INTO "_adoptions" ("from") SELECT ${owner} UNION SELECT "from" FROM "_adoptions" WHERE "to" = ${owner}
    ON CONFLICT ("from") DO UPDATE SET "to" = NULL`;
  await deleteOwned(owner);
}

/** A pattern for LIKE that matches texts with this text in them. */
const containing = (text: string) => `%${text.replace(/[\\%_]/g, "\\$&")}%`;

/** Deletes the rows and files of an owner. Throws, and deletes nothing, when rows of others must keep one of the files. */
async function deleteOwned(owner: string): Promise<void> {
  const limits = { maxWait: 60_000, timeout: 5 * 60_000 };
  await maintenance.$transaction(async (client) => {
    for (const { table, column } of columnsOf(accountOptions().owners)) {
      await client.$executeRaw`DELETE FROM ${Prisma.raw(table)} WHERE ${Prisma.raw(`"${column}"`)} = ${owner}`;
    }
    const files = await client.storage.findMany({ where: { owner }, select: { id: true } });
    const ids = files.map((file) => file.id);
    await deleteFiles(client, ids, true);
    // The bytes of files that were deleted before could still be restored. This lets them go.
    await client.$executeRaw`
      UPDATE "_unowned_blobs"
      SET "deleteAfter" = now(), "fileId" = NULL, "owner" = NULL, "size" = NULL, "deletedAt" = NULL, "file" = NULL
      WHERE "owner" = ${owner}`;
    await client.$executeRaw`
      WITH unfinished AS (DELETE FROM "_unfinished_uploads" WHERE "owner" = ${owner} RETURNING "blobKey", "progress" ->> 'aside' AS aside)
      UPDATE "_unowned_blobs" AS listed SET "deleteAfter" = now() FROM unfinished
      WHERE listed."blobKey" IN (unfinished."blobKey", unfinished.aside)`;
  }, limits);
  deleteUnownedBlobsSoon();
}

const forget = internalAction({
  args: { owner: z.string() },
  handler: (_ctx, { owner }) => deleteLeftovers({ id: owner.slice(tokenIdentifier("").length) }),
});

register("_kit", { forget });

/**
 * Deletes accounts whose address was not confirmed within a week, if addresses must be confirmed. Keeps accounts that own
 * something, are signed in somewhere, or are referenced by rows. Returns how many it deleted.
 */
export async function deleteUnconfirmed(): Promise<number> {
  if (!env.SMTP_URL) return 0;
  const references = await maintenance.$queryRaw<{ table: string; column: string }[]>`
    SELECT conrelid::regclass::text AS "table", quote_ident(attname) AS "column"
    FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey)
    WHERE contype = 'f' AND confrelid = '"_users"'::regclass AND conrelid <> '"_accounts"'::regclass`;
  const unlisted = (await findUnlistedOwners(accountOptions().owners)).map((name) => {
    const [table, column] = name.split(".");
    return { table: `"${table}"`, column: `"${column}"` };
  });
  const listed = columnsOf(accountOptions().owners).map(({ table, column }) => ({ table, column: `"${column}"` }));
  const owned = [{ table: '"_storage"', column: '"owner"' }, ...references, ...unlisted, ...listed].map(
    ({ table, column }) =>
      Prisma.sql`NOT EXISTS (SELECT FROM ${Prisma.raw(table)} AS r
        WHERE r.${Prisma.raw(column)} IN (account."_id", ${`${ownIssuer}|`} || account."_id"))`,
  );
  return maintenance.$executeRaw`
    DELETE FROM "_users" AS account
    WHERE NOT "emailVerified" AND "isAnonymous" IS NOT TRUE AND NOT "isAdmin"
      AND "createdAt" < now() - make_interval(days => ${unconfirmedDays}) AND ${Prisma.join(owned, " AND ")}`;
}
