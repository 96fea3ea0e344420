import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { mutation, query } from "~/server/builders";
import { pageArgs, paginate } from "~/server/pagination";
import { storageId } from "~/server/storage/storage-id";

/** A URL that takes one file of at most `maxSize` bytes and one of `contentTypes`, as `["image/*"]`. */
export const generateUploadUrl = mutation({
  args: { maxSize: z.int().nonnegative().optional(), contentTypes: z.array(z.string()).optional() },
  handler: (ctx, limits) => ctx.storage.generateUploadUrl(limits),
});

export const saveFile = mutation({
  args: { storageId: storageId(), name: z.string().trim().min(1).max(255) },
  handler: async (ctx, { storageId, name }) => {
    const file = await ctx.db.system.get(storageId);
    if (!file) throw notFound(storageId);
    const { size, contentType } = file;
    return ctx.db.file.create({ data: { storageId, name, size, contentType } });
  },
});

/** A page of files, newest first. */
export const list = query({
  args: pageArgs,
  handler: async (ctx, page) => {
    const { rows, nextCursor } = await paginate(page, (keyset) =>
      ctx.db.file.findMany({ ...keyset, orderBy: { id: "desc" } }),
    );
    const files = rows.map(async (file) => ({ ...file, url: await ctx.storage.getUrl(file.storageId) }));
    return { page: await Promise.all(files), nextCursor };
  },
});

/** A URL of the file, or `null`. `expiresIn` is in milliseconds. */
export const getUrl = query({
  args: {
    storageId: storageId(),
    expiresIn: z
      .int()
      .positive()
      .max(365 * 24 * 60 * 60 * 1000)
      .optional(),
    downloadAs: z.string().min(1).max(255).optional(),
  },
  handler: (ctx, { storageId, ...options }) => ctx.storage.getUrl(storageId, options),
});

export const getMetadata = query({
  args: { storageId: storageId() },
  handler: (ctx, { storageId }) => ctx.db.system.get(storageId),
});

/** Deletes the row and the file together. */
const deleteFile = mutation({
  args: { storageId: storageId() },
  handler: async (ctx, { storageId }) => {
    const { count } = await ctx.db.file.deleteMany({ where: { storageId } });
    if (count === 0) throw notFound(storageId);
    await ctx.storage.delete(storageId);
  },
});

export { deleteFile as delete };

const notFound = (storageId: string) =>
  new TRPCError({ code: "NOT_FOUND", message: `There is no file ${storageId}; it may have been deleted` });
