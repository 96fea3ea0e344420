import { z } from "zod";
import { Prisma } from "~/generated/prisma/client";
import { prisma } from "../database/database";
import { type FileMetadata, toMetadata } from "../storage/file-metadata";
import { keyset, pageArgs, toPage } from "./keyset";

/** The first half of a content type; `none` is of files without. */
export const kinds = ["image", "video", "audio", "text", "application", "none"] as const;

export const listArgs = {
  ...pageArgs,
  kind: z.enum(kinds).optional(),
  /** Only files uploaded at `from` or later, and before `before`; milliseconds since the epoch. */
  from: z.int().min(0).max(1e14).optional(),
  before: z.int().min(0).max(1e14).optional(),
  sort: z.enum(["uploaded", "size"]).default("uploaded"),
  direction: z.enum(["asc", "desc"]).default("desc"),
};

export interface StoredFile extends FileMetadata {
  /** Who uploaded it, as `tokenIdentifier`; `null` when nobody was known. */
  owner: string | null;
}

/** A page of files. It costs the same however many there are, by the indexes of the migration `dashboard`. */
export async function listFiles({
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
  const { after, orderBy } = keyset({ column, id: Prisma.sql`"_id"`, isTime, direction, cursor });
  const conditions = [after, ofKind(kind)];
  if (from !== undefined) conditions.push(Prisma.sql`"_creationTime" >= ${new Date(from)}`);
  if (before !== undefined) conditions.push(Prisma.sql`"_creationTime" < ${new Date(before)}`);
  const files = await select(Prisma.sql`WHERE ${Prisma.join(conditions, " AND ")} ${orderBy} LIMIT ${limit + 1}`);
  return toPage(files, limit, ({ _id, _creationTime, size }) => ({ id: _id, value: isTime ? _creationTime : size }));
}

export async function findFile(storageId: string): Promise<StoredFile | null> {
  const [file] = await select(Prisma.sql`WHERE "_id" = ${storageId}::uuid`);
  return file ?? null;
}

/** As the index has it. */
function ofKind(kind: (typeof kinds)[number] | undefined): Prisma.Sql {
  if (kind === undefined) return Prisma.sql`true`;
  const value = Prisma.sql`split_part(lower("contentType"), '/', 1)`;
  return kind === "none" ? Prisma.sql`${value} IS NULL` : Prisma.sql`${value} = ${kind}`;
}

interface Row {
  id: string;
  creationTime: Date;
  sha256: string;
  size: bigint;
  contentType: string | null;
  owner: string | null;
}

async function select(rest: Prisma.Sql): Promise<StoredFile[]> {
  const rows = await prisma.$queryRaw<Row[]>`
    SELECT "_id"::text AS "id", "_creationTime" AS "creationTime", "sha256", "size", "contentType", "owner"
    FROM "_storage" ${rest}`;
  return rows.map((row) => ({ ...toMetadata(row), owner: row.owner }));
}
