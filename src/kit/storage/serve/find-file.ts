import { pool } from "../../database/database";
import { type FileMetadata, toMetadata } from "../file-metadata";

interface Row {
  id: string;
  creationTime: Date;
  sha256: string;
  size: string;
  contentType: string | null;
  blobKey: string;
}

/**
 * A file and where its bytes are, or `null`. PostgreSQL is asked directly: by way of Prisma the look-up is a quarter of
 * the work of serving a small file.
 */
export async function findFile(id: string): Promise<{ file: FileMetadata; blobKey: string } | null> {
  const [row] = await pool.sql<Row>(
    `SELECT "_id" AS "id", "_creationTime" AS "creationTime", "sha256", "size", "contentType", "blobKey"
    FROM "_storage" WHERE "_id" = $1`,
    [id],
  );
  return row ? { file: toMetadata({ ...row, size: BigInt(row.size) }), blobKey: row.blobKey } : null;
}
