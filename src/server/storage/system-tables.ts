import type { Transaction } from "../transaction";
import { parseStorageId } from "./storage-id";

/** A document of the `_storage` system table. */
export interface FileMetadata {
  _id: string;
  /** Milliseconds since the epoch. */
  _creationTime: number;
  /** Lower-case hex. */
  sha256: string;
  /** Bytes. */
  size: number;
  /** As sent with the upload; `null` when none was. */
  contentType: string | null;
}

/** `ctx.db.system`: reads the tables that only the kit writes. */
export interface SystemTables {
  /** The metadata of a file, or `null` when there is none of that id. */
  get(storageId: string): Promise<FileMetadata | null>;
}

export function systemTables(run: Transaction["run"]): SystemTables {
  return {
    async get(storageId) {
      const id = parseStorageId(storageId);
      const row = await run((client) => client.storage.findUnique({ where: { id } }));
      return row && toMetadata(row);
    },
  };
}

/** A `_storage` row as functions see it. */
export function toMetadata(row: {
  id: string;
  creationTime: Date;
  sha256: string;
  size: bigint;
  contentType: string | null;
}): FileMetadata {
  return {
    _id: row.id,
    _creationTime: row.creationTime.getTime(),
    sha256: row.sha256,
    size: Number(row.size),
    contentType: row.contentType,
  };
}
