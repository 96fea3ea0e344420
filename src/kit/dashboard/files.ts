import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { prisma } from "../database/database";
import { sqlState } from "../database/sql-state";
import { alone } from "../database/transaction";
import { t } from "../functions/trpc";
import { scheduler } from "../jobs/scheduler";
import { noting } from "../live/reads";
import { env } from "../process/env";
import { preview, readUpkeep } from "../process/upkeep";
import { readLooseReferences } from "../storage/collect";
import { listDeletedFiles } from "../storage/deleted-files";
import { createFileUrl, type FileUrlOptions } from "../storage/file-url";
import { condemnFiles, forgetDeleted, restoreFile } from "../storage/ledger";
import { storageId } from "../storage/storage-id";
import { sweepSoon } from "../storage/sweep";
import { readSweepPreview } from "../storage/sweep-preview";
import { readTotals } from "../storage/totals";
import { createUploadUrl } from "../storage/upload-url";
import { adminProcedure, liveProcedure } from "./admin-procedure";
import { type FileReference, referencesOf, referringTables } from "./file-references";
import { findFile, listArgs, listFiles, type StoredFile } from "./list-files";

const hour = 60 * 60 * 1000;

/** What restricts a deletion. */
const foreignKeyViolations = ["23001", "23503"];

/** Live by the files, and by all that may refer to them. */
const fileProcedure = adminProcedure.use(async ({ ctx, path, next }) => {
  noting(ctx, path).noteReads?.(["_storage", ...(await referringTables())]);
  return next();
});

export const files = t.router({
  total: liveProcedure("_storage").query(readTotals),

  /** A page of files, with what refers to each. */
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

  /** Deletes files, all or none. Returns how many there were. */
  delete: adminProcedure
    .input(z.object({ storageIds: z.array(storageId()).min(1).max(100), permanently: z.boolean().default(false) }))
    .mutation(async ({ input }) => {
      try {
        const deleted = await condemnFiles(prisma, input.storageIds, input.permanently);
        sweepSoon();
        return deleted;
      } catch (cause) {
        if (!foreignKeyViolations.includes(sqlState(cause) ?? "")) throw cause;
        const message = "Nothing was deleted: the database does not let go of a file that a row must refer to";
        throw new TRPCError({ code: "CONFLICT", message, cause });
      }
    }),

  /** The latest deleted files whose bytes are still kept. */
  deleted: liveProcedure("_storage").query(() => listDeletedFiles(100)),

  /** Undoes a deletion: the file comes back, the rows that referred to it do not. */
  restore: adminProcedure.input(z.object({ storageId: storageId() })).mutation(async ({ input }) => {
    if (await restoreFile(prisma, input.storageId)) return;
    throw new TRPCError({ code: "NOT_FOUND", message: `Cannot restore file ${input.storageId}: its bytes are gone` });
  }),

  /** Lets the bytes of a deleted file go now, for those who must not keep them. */
  forget: adminProcedure.input(z.object({ storageId: storageId() })).mutation(async ({ input }) => {
    await forgetDeleted(prisma, [input.storageId]);
    sweepSoon();
  }),

  /** How upkeep went: its steps, and the columns without a foreign key that keep files. */
  upkeep: liveProcedure("_scheduled_functions").query(async () => ({
    steps: await readUpkeep(),
    looseReferences: await readLooseReferences(),
  })),

  /** What the next sweep would remove, as found out last, and the age in hours from which it does. */
  sweepPreview: liveProcedure("_scheduled_functions").query(async () => ({
    preview: await readSweepPreview(),
    graceHours: env.UNREFERENCED_GRACE_HOURS,
  })),

  /** Has it found out anew, in a moment. Returns the time from which a preview is new. */
  refreshSweepPreview: adminProcedure.mutation(async ({ ctx }) => {
    const now = Date.now();
    await scheduler(ctx, alone).runAfter(0, preview);
    return now;
  }),
});

/** Files as the dashboard shows them: with what refers to them, and URLs that work for an hour. */
async function described(origin: string, found: StoredFile[]) {
  const referring = await referencesOf(found.map(({ _id }) => _id));
  return found.map((file) => {
    const references: FileReference[] = referring.get(file._id) ?? [];
    // Stored files have no name; one that a row gives it is as good as any.
    const downloadAs = references.find(({ label }) => label)?.label?.slice(0, 255) ?? file._id;
    const url = (options: FileUrlOptions) => createFileUrl(origin, file._id, { expiresIn: hour, ...options });
    return { ...file, references, url: url({}), downloadUrl: url({ downloadAs }) };
  });
}
