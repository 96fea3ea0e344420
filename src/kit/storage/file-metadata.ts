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
