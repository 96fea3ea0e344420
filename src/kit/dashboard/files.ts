import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { Prisma } from "~/generated/prisma/client";
import { prisma } from "../database/database";
import { sqlState } from "../database/errors";
import { formatCursor, sortedPage, sortedPageArgs, toPage } from "../database/pagination";
import { alone } from "../database/transaction";
import { t } from "../functions/builders";
import { preview, readUpkeep } from "../jobs/housekeeping";
import { scheduler } from "../jobs/scheduler";
import { noting } from "../live/reads";
import { env } from "../process/env";
import { type FileMetadata, type FileRow, fileColumns, storageId, toMetadata } from "../storage/file";
import {
  deleteUnownedBlobsSoon,
  listDeletedFiles,
  readGarbagePreview,
  readLooseReferences,
} from "../storage/garbage-collection";
import { deleteFiles, forgetDeleted, releaseFile, restoreFile } from "../storage/ownership";
import { readTotals } from "../storage/quota";
import { findReferences } from "../storage/references";
import { createFileUrl, createUploadUrl, type FileUrlOptions } from "../storage/tokens";
import { adminProcedure, foreignKeyViolations, liveProcedure } from "./admin-procedure";

const hour = 60 * 60 * 1000;

/** Live: refetched when files change, or rows of a table that may reference files. */
const fileProcedure = adminProcedure.use(async ({ ctx, path, next }) => {
  noting(ctx, path).noteReads?.(["_storage", ...(await referringTables())]);
  return next();
});

/** The first half of a content type. `none` stands for files without a content type. */
const kinds = ["image", "video", "audio", "text", "application", "none"] as const;

const listArgs = {
  ...sortedPageArgs,
  kind: z.enum(kinds).optional(),
  /** Only files uploaded at `from` or later, and before `before`; milliseconds since the epoch. */
  from: z.int().min(0).max(1e14).optional(),
  before: z.int().min(0).max(1e14).optional(),
  sort: z.enum(["uploaded", "size"]).default("uploaded"),
  direction: z.enum(["asc", "desc"]).default("desc"),
};

export const files = t.router({
  total: liveProcedure("_storage").query(readTotals),

  /** A page of files, each with the rows that reference it. */
  list: fileProcedure.input(z.object(listArgs)).query(async ({ ctx, input }) => {
    const { page, nextCursor } = await listFiles(input);
    return { page: await described(ctx.origin, page), nextCursor };
  }),

  /** One file, or `null`. */
  get: fileProcedure.input(z.object({ storageId: storageId() })).query(async ({ ctx, input }) => {
    const file = await findFile(input.storageId);
    return file && ((await described(ctx.origin, [file]))[0] ?? null);
  }),

  generateUploadUrl: adminProcedure.mutation(async ({ ctx }) => {
    const identity = await ctx.identity();
    return createUploadUrl(ctx.origin, {}, identity?.tokenIdentifier);
  }),

  /** Deletes files: all of them or none. Returns how many existed. */
  delete: adminProcedure
    .input(z.object({ storageIds: z.array(storageId()).min(1).max(100), permanently: z.boolean().default(false) }))
    .mutation(async ({ input }) => {
      try {
        const deleted = await deleteFiles(prisma, input.storageIds, input.permanently);
        deleteUnownedBlobsSoon();
        return deleted;
      } catch (cause) {
        if (!foreignKeyViolations.includes(sqlState(cause) ?? "")) throw cause;
        const message = "Nothing was deleted: the database does not let go of a file that a row must refer to";
        throw new TRPCError({ code: "CONFLICT", message, cause });
      }
    }),

  /** Releases a held file, so that it is served. */
  release: adminProcedure.input(z.object({ storageId: storageId() })).mutation(async ({ input }) => {
    if (await releaseFile(prisma, input.storageId)) return;
    throw new TRPCError({ code: "NOT_FOUND", message: `Cannot release file ${input.storageId}: it was deleted` });
  }),

  /** The latest deleted files whose bytes are still kept. */
  deleted: liveProcedure("_storage").query(() => listDeletedFiles(100)),

  /** Undoes a deletion. The file comes back, but the rows that referenced it do not. */
  restore: adminProcedure.input(z.object({ storageId: storageId() })).mutation(async ({ input }) => {
    if (await restoreFile(prisma, input.storageId)) return;
    throw new TRPCError({ code: "NOT_FOUND", message: `Cannot restore file ${input.storageId}: its bytes are gone` });
  }),

  /** Deletes the bytes of a deleted file now, for operators who must not keep them. */
  forget: adminProcedure.input(z.object({ storageId: storageId() })).mutation(async ({ input }) => {
    await forgetDeleted(prisma, [input.storageId]);
    deleteUnownedBlobsSoon();
  }),

  /** How the last housekeeping went: its steps, and the columns that name files without a foreign key. */
  upkeep: liveProcedure("_scheduled_functions").query(async () => ({
    steps: await readUpkeep(),
    looseReferences: await readLooseReferences(),
  })),

  /** The last preview of garbage collection, and the grace period in hours. */
  sweepPreview: liveProcedure("_scheduled_functions").query(async () => ({
    preview: await readGarbagePreview(),
    graceHours: env.UNREFERENCED_GRACE_HOURS,
  })),

  /** Schedules a new preview. A preview that was made after the returned time is the new one. */
  refreshSweepPreview: adminProcedure.mutation(async ({ ctx }) => {
    const now = Date.now();
    await scheduler(ctx, alone).runAfter(0, preview);
    return now;
  }),
});

/** Files as the dashboard shows them, with the rows that reference them and with URLs that work for an hour. */
async function described(origin: string, found: StoredFile[]) {
  const referring = await referencesOf(found.map(({ _id }) => _id));
  return found.map((file) => {
    const references: FileReference[] = referring.get(file._id) ?? [];
    // Stored files have no name. This takes the name of one row that references the file.
    const downloadAs = references.find(({ label }) => label)?.label?.slice(0, 255) ?? file._id;
    const url = (options: FileUrlOptions) => createFileUrl(origin, file._id, { expiresIn: hour, ...options });
    const imageUrl = url({ width: 1280 });
    const thumbnailUrl = thumbnailOf(origin, file);
    return { ...file, references, url: url({}), imageUrl, thumbnailUrl, downloadUrl: url({ downloadAs }) };
  });
}

/** The URL of a small square picture; `null` for a file that is no image. */
const thumbnailOf = (origin: string, { _id, contentType }: FileMetadata) =>
  /^image\/(png|jpeg|gif|webp|avif)\b/i.test(contentType ?? "")
    ? createFileUrl(origin, _id, { expiresIn: hour, width: 160, height: 160, format: "webp" })
    : null;

/** The types of these files and small pictures of them, by storage id. */
export async function previewsOf(origin: string, storageIds: string[]) {
  const found = storageIds.length > 0 ? await select(Prisma.sql`WHERE "_id" = ANY(${storageIds}::uuid[])`) : [];
  return Object.fromEntries(
    found.map((file) => [file._id, { contentType: file.contentType, thumbnailUrl: thumbnailOf(origin, file) }]),
  );
}

/** A row that references a file. */
interface FileReference {
  table: string;
  column: string;
  /** Its `_id`, and its name or title; `null` where the table has none. */
  row: string | null;
  label: string | null;
}

/**
 * How many references are read for each column. That is enough to see who uses a file, and costs the same when a million
 * rows do.
 */
const perColumn = 5;

/** The rows that reference these files, by storage id. The database's own foreign keys say which tables to read. */
async function referencesOf(storageIds: string[]): Promise<Map<string, FileReference[]>> {
  const found = new Map<string, FileReference[]>(storageIds.map((id) => [id, []]));
  const columns = await findReferences(prisma);
  if (columns.length === 0 || storageIds.length === 0) return found;
  const selects = columns.map(({ table, column }) => {
    // PostgreSQL has quoted these names, which are from its catalogue.
    const [from, key] = [Prisma.raw(table), Prisma.raw(column)];
    return Prisma.sql`
      SELECT file.id::text AS id, ${table} AS "table", ${column} AS "column", referring.* FROM file, LATERAL (
        SELECT to_jsonb(r) ->> '_id' AS "row", coalesce(to_jsonb(r) ->> 'name', to_jsonb(r) ->> 'title') AS "label"
        FROM ${from} AS r WHERE r.${key} = file.id LIMIT ${perColumn}
      ) AS referring`;
  });
  const rows = await prisma.$queryRaw<({ id: string } & FileReference)[]>`
    WITH file AS (SELECT unnest(${storageIds}::uuid[]) AS id) ${Prisma.join(selects, " UNION ALL ")}`;
  for (const { id, table, column, ...row } of rows) {
    found.get(id)?.push({ table: unquoted(table), column: unquoted(column), ...row });
  }
  return found;
}

/** The tables whose rows may reference files. */
async function referringTables(): Promise<string[]> {
  return (await findReferences(prisma)).map(({ table }) => unquoted(table));
}

const unquoted = (name: string) => name.replaceAll('"', "");

interface StoredFile extends FileMetadata {
  /** The uploader, as `tokenIdentifier`; `null` when the uploader had no identity. */
  owner: string | null;
}

/**
 * Reads a page of files by the indexes of the migration `dashboard`, so that it costs the same however many files there are.
 */
async function listFiles({
  limit,
  cursor,
  kind,
  from,
  before,
  sort,
  direction,
}: z.output<z.ZodObject<typeof listArgs>>) {
  const isTime = sort === "uploaded";
  const column = isTime ? Prisma.sql`"_creationTime"` : Prisma.sql`"size"`;
  const { after, orderBy } = sortedPage({ column, isTime, direction, cursor });
  const conditions = [after, ofKind(kind)];
  if (from !== undefined) conditions.push(Prisma.sql`"_creationTime" >= ${new Date(from)}`);
  if (before !== undefined) conditions.push(Prisma.sql`"_creationTime" < ${new Date(before)}`);
  const files = await select(Prisma.sql`WHERE ${Prisma.join(conditions, " AND ")} ${orderBy} LIMIT ${limit + 1}`);
  return toPage(files, limit, ({ _id, _creationTime, size }) =>
    formatCursor({ id: _id, value: isTime ? _creationTime : size }),
  );
}

async function findFile(storageId: string): Promise<StoredFile | null> {
  const [file] = await select(Prisma.sql`WHERE "_id" = ${storageId}::uuid`);
  return file ?? null;
}

/** Compares the same expression as the index, so that PostgreSQL uses the index. */
function ofKind(kind: (typeof kinds)[number] | undefined): Prisma.Sql {
  if (kind === undefined) return Prisma.sql`true`;
  const value = Prisma.sql`split_part(lower("contentType"), '/', 1)`;
  return kind === "none" ? Prisma.sql`${value} IS NULL` : Prisma.sql`${value} = ${kind}`;
}

async function select(rest: Prisma.Sql): Promise<StoredFile[]> {
  const rows = await prisma.$queryRaw<(FileRow & { owner: string | null })[]>`
    SELECT ${Prisma.raw(fileColumns)}, "owner" FROM "_storage" ${rest}`;
  return rows.map((row) => ({ ...toMetadata(row), owner: row.owner }));
}
