import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { mutation, query } from "~/kit";
import { type MutationCtx, pageArgs, type QueryCtx, requireIdentity, storageId } from "~/kit/server";

const userQuery = query.use(requireIdentity);
const userMutation = mutation.use(requireIdentity);

/** Bytes of the largest file; anybody may upload here. */
const largest = 5 * 1024 ** 3;
const name = z.string().trim().min(1).max(255);

/** A URL that takes one file of at most `maxSize` bytes and one of `contentTypes`, as `["image/*"]`. */
export const generateUploadUrl = mutation({
  args: { maxSize: z.int().nonnegative().optional(), contentTypes: z.array(z.string()).optional() },
  handler: (ctx, { maxSize = largest, contentTypes }) =>
    ctx.storage.generateUploadUrl({ maxSize: Math.min(maxSize, largest), contentTypes }),
});

export const saveFile = mutation({
  args: { storageId: storageId(), name },
  handler: async (ctx, { storageId, name }) => {
    const owner = await ownerOf(ctx);
    // A client whose answer was lost calls again.
    const saved = owner === null ? null : await ctx.db.file.findFirst({ where: { storageId, owner } });
    if (saved) return saved;
    const { size, contentType } = await ctx.storage.claim(storageId);
    return ctx.db.file.create({ data: { storageId, name, size, contentType, owner } });
  },
});

const search = z.string().trim().max(255).default("");
const [asc, desc] = ["asc", "desc"] as const;
const orders = {
  newest: [{ id: desc }],
  oldest: [{ id: asc }],
  name: [{ name: asc }, { id: asc }],
  largest: [{ size: desc }, { id: desc }],
};

/** A page of the caller's files, of those with `search` in their names. */
export const list = userQuery({
  args: { ...pageArgs, search, sort: z.enum(["newest", "oldest", "name", "largest"]).default("newest") },
  handler: async (ctx, { limit, cursor, search, sort }) => {
    // One more than asked for tells whether there is a next page.
    const found = await ctx.db.file.findMany({
      where: named(search, ctx.identity.tokenIdentifier),
      orderBy: orders[sort],
      take: limit + 1,
      ...(cursor && { cursor: { id: cursor }, skip: 1 }),
    });
    const rows = found.slice(0, limit);
    const page = await Promise.all(rows.map((file) => withUrls(ctx, file)));
    return { page, nextCursor: found.length > limit ? (rows.at(-1)?.id ?? null) : null };
  },
});

/** How many files all pages of `list` have together. */
export const count = userQuery({
  args: { search },
  handler: (ctx, { search }) => ctx.db.file.count({ where: named(search, ctx.identity.tokenIdentifier) }),
});

/** One of the caller's files, or `null`. */
export const get = userQuery({
  args: { fileId: z.uuid() },
  handler: async (ctx, { fileId }) => {
    const file = await ctx.db.file.findFirst({ where: { id: fileId, owner: ctx.identity.tokenIdentifier } });
    return file && withUrls(ctx, file);
  },
});

/** Puts an upload in the place of one of the caller's files, which keeps its name. The bytes before are deleted. */
export const replace = userMutation({
  args: { fileId: z.uuid(), storageId: storageId() },
  handler: async (ctx, { fileId, storageId }) => {
    const file = await ctx.db.file.findFirst({ where: { id: fileId, owner: ctx.identity.tokenIdentifier } });
    if (!file) throw notFound(fileId);
    // A client whose answer was lost calls again.
    if (file.storageId === storageId) return;
    const { size, contentType } = await ctx.storage.claim(storageId);
    await ctx.db.file.update({ where: { id: fileId }, data: { storageId, size, contentType } });
    await ctx.storage.delete(file.storageId);
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

const ownerOf = async (ctx: Pick<QueryCtx | MutationCtx, "auth">) =>
  (await ctx.auth.getUserIdentity())?.tokenIdentifier ?? null;

/** For `contains`, `%` and `_` are wildcards. */
const named = (search: string, owner: string) => ({
  owner,
  ...(search && { name: { contains: search.replace(/[\\%_]/g, "\\$&"), mode: "insensitive" as const } }),
});

const withUrls = async <File extends { storageId: string; name: string }>(ctx: QueryCtx, file: File) => ({
  ...file,
  url: await ctx.storage.getUrl(file.storageId),
  downloadUrl: await ctx.storage.getUrl(file.storageId, { downloadAs: file.name }),
});

/** Files uploaded without an identity belong to those without one who know the id. */
async function isOwn(ctx: QueryCtx, id: string): Promise<boolean> {
  const file = await ctx.db.storage.findUnique({ where: { id }, select: { owner: true } });
  return file !== null && file.owner === (await ownerOf(ctx));
}

const notFound = (id: string) =>
  new TRPCError({ code: "NOT_FOUND", message: `There is no file ${id} of yours; it may have been deleted` });
