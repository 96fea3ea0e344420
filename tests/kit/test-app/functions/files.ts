import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { action, internalQuery, mutation, query } from "~/kit";
import { type MutationCtx, pageArgs, paginate, type QueryCtx, requireIdentity, storageId } from "~/kit/server";

const userQuery = query.use(requireIdentity);
const userMutation = mutation.use(requireIdentity);

/** The size of the largest file, in bytes. Anyone may upload here. */
const largest = 5 * 1024 ** 3;
const name = z.string().trim().min(1).max(255);

/**
 * Returns a URL that takes one file of at most `maxSize` bytes and of one of the `contentTypes`, for example `["image/*"]`.
 */
export const generateUploadUrl = mutation({
  args: { maxSize: z.int().nonnegative().optional(), contentTypes: z.array(z.string()).optional() },
  handler: (ctx, { maxSize = largest, contentTypes }) =>
    ctx.storage.generateUploadUrl({ maxSize: Math.min(maxSize, largest), contentTypes }),
});

export const saveFile = mutation({
  args: { storageId: storageId(), name },
  handler: async (ctx, { storageId, name }) => {
    const owner = await identifierOf(ctx);
    // The client calls again when the answer to its first call was lost.
    const saved = owner === null ? null : await ctx.db.file.findFirst({ where: { storageId, owner } });
    if (saved) return saved;
    const { size, contentType } = await ctx.storage.claim(storageId);
    return ctx.db.file.create({ data: { storageId, name, size, contentType, owner } });
  },
});

/** A page of the caller's files, newest first. */
export const list = userQuery({
  args: pageArgs,
  handler: async (ctx, page) => {
    const owner = ctx.identity.tokenIdentifier;
    const { rows, nextCursor } = await paginate(page, ({ take, where }) =>
      ctx.db.file.findMany({ where: { owner, ...where }, take, orderBy: { id: "desc" } }),
    );
    const files = rows.map(async (file) => ({
      ...file,
      url: await ctx.storage.getUrl(file.storageId),
      downloadUrl: await ctx.storage.getUrl(file.storageId, { downloadAs: file.name }),
    }));
    return { page: await Promise.all(files), nextCursor };
  },
});

/** A URL of one of the caller's files, or `null`. `expiresIn` is in milliseconds. */
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
  handler: async (ctx, { storageId, ...options }) =>
    (await isOwn(ctx, storageId)) ? ctx.storage.getUrl(storageId, options) : null,
});

export const getMetadata = query({
  args: { storageId: storageId() },
  handler: async (ctx, { storageId }) => ((await isOwn(ctx, storageId)) ? ctx.db.system.get(storageId) : null),
});

export const rename = userMutation({
  args: { storageId: storageId(), name },
  handler: async (ctx, { storageId, name }) => {
    const where = { storageId, owner: ctx.identity.tokenIdentifier };
    const { count } = await ctx.db.file.updateMany({ where, data: { name } });
    if (count === 0) throw notFound(storageId);
  },
});

/** Deletes the row and the file together. */
const deleteFile = userMutation({
  args: { storageId: storageId() },
  handler: async (ctx, { storageId }) => {
    const where = { storageId, owner: ctx.identity.tokenIdentifier };
    const { count } = await ctx.db.file.deleteMany({ where });
    if (count === 0) throw notFound(storageId);
    await ctx.storage.delete(storageId);
  },
});

export { deleteFile as delete };

/** The text of one of the caller's uploads, or `null`. */
export const read = action.use(requireIdentity)({
  args: { storageId: storageId() },
  handler: async (ctx, { storageId }) => {
    const owner = await ctx.runQuery(ownerOf, { storageId });
    if (owner !== ctx.identity.tokenIdentifier) return null;
    return (await ctx.storage.get(storageId))?.text() ?? null;
  },
});

/** Returns who uploaded a file, as `tokenIdentifier`, or `null` when that is not known. */
export const ownerOf = internalQuery({
  args: { storageId: storageId() },
  handler: async (ctx, { storageId }) => (await ctx.db.storage.findUnique({ where: { id: storageId } }))?.owner ?? null,
});

const identifierOf = async (ctx: Pick<QueryCtx | MutationCtx, "auth">) =>
  (await ctx.auth.getUserIdentity())?.tokenIdentifier ?? null;

/** Files that were uploaded without an identity belong to everyone without an identity who knows the id. */
async function isOwn(ctx: QueryCtx, id: string): Promise<boolean> {
  const file = await ctx.db.storage.findUnique({ where: { id }, select: { owner: true } });
  return file !== null && file.owner === (await identifierOf(ctx));
}

const notFound = (storageId: string) =>
  new TRPCError({ code: "NOT_FOUND", message: `There is no file ${storageId} of yours; it may have been deleted` });
