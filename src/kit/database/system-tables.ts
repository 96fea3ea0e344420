import { type ScheduledFunctionDocument, toScheduledFunction } from "../jobs/scheduled-function";
import { type FileMetadata, toMetadata } from "../storage/file-metadata";
import { parseStorageId } from "../storage/storage-id";
import type { NoteReads } from "./db";
import { type SystemQuery, systemQuery } from "./system-query";
import type { Transaction } from "./transaction";

/** `ctx.db.system`: reads the tables that only the kit writes. */
export interface SystemTables {
  /** The metadata of a file, or `null` when there is none of that id. */
  get(storageId: string): Promise<FileMetadata | null>;
  /** Reads many: `db.system.query("_storage").order("desc").take(10)`. */
  query(table: "_storage"): SystemQuery<FileMetadata>;
  query(table: "_scheduled_functions"): SystemQuery<ScheduledFunctionDocument>;
}

export function systemTables(run: Transaction["run"], noteReads?: NoteReads): SystemTables {
  const files = systemQuery((keyset) => {
    noteReads?.(["_storage"]);
    return run(async (client) => (await client.storage.findMany(keyset)).map(toMetadata));
  });
  const jobs = systemQuery((keyset) => {
    noteReads?.(["_scheduled_functions"]);
    return run(async (client) => (await client.scheduledFunction.findMany(keyset)).map(toScheduledFunction));
  });
  function query(table: "_storage"): SystemQuery<FileMetadata>;
  function query(table: "_scheduled_functions"): SystemQuery<ScheduledFunctionDocument>;
  function query(table: string): SystemQuery<FileMetadata> | SystemQuery<ScheduledFunctionDocument> {
    return table === "_storage" ? files : jobs;
  }
  return {
    async get(storageId) {
      const id = parseStorageId(storageId);
      noteReads?.(["_storage"]);
      const row = await run((client) => client.storage.findUnique({ where: { id } }));
      return row && toMetadata(row);
    },
    query,
  };
}
