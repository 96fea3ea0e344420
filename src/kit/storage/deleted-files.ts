import { prisma } from "../database/database";

/** A deleted file whose bytes are still kept. */
export interface DeletedFile {
  storageId: string;
  /** As `tokenIdentifier`; `null` when nobody was known. */
  owner: string | null;
  /** Bytes. */
  size: number;
  contentType: string | null;
  /** Milliseconds since the epoch. */
  deletedAt: number;
  /** When its bytes go, in milliseconds since the epoch. */
  goneAt: number;
}

/** The latest deleted first. */
export function listDeletedFiles(limit: number): Promise<DeletedFile[]> {
  return prisma.$queryRaw<DeletedFile[]>`
    SELECT "fileId"::text AS "storageId", "owner", "size"::float AS "size", "file" ->> 'contentType' AS "contentType",
      extract(epoch FROM "deletedAt")::float * 1000 AS "deletedAt", extract(epoch FROM "deleteAfter")::float * 1000 AS "goneAt"
    FROM "_unowned_blobs" WHERE "file" IS NOT NULL AND "deleteAfter" > now()
    ORDER BY "deletedAt" DESC, "blobKey" LIMIT ${limit}`;
}
