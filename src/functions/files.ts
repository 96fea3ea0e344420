import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { action, internalMutation, mutation, query } from "~/kit";
import {
  type ActionCtx,
  type Id,
  id,
  type MutationCtx,
  pageArgs,
  type QueryCtx,
  requireIdentity,
  storageId,
} from "~/kit/server";

const userQuery = query.use(requireIdentity);
const userMutation = mutation.use(requireIdentity);

/** The largest upload, in bytes. Callers without an identity may upload here, too. */
const maxBytes = 5 * 1024 ** 3;
/** Characters with which `fdp.exe` looks like `exe.pdf`. */
const reversing = /[\u202A-\u202E\u2066-\u2069]/g;
const name = z
  .string()
  .overwrite((name) => name.replace(reversing, ""))
  .trim()
  .min(1)
  .max(255);

/** Returns a URL that takes one file of at most `maxSize` bytes, with one of the `contentTypes`, for example `["image/*"]`. */
export const generateUploadUrl = mutation({
  args: { maxSize: z.int().nonnegative().optional(), contentTypes: z.array(z.string()).optional() },
  returns: z.string(),
  handler: (ctx, { maxSize = maxBytes, contentTypes }) =>
    ctx.storage.generateUploadUrl({ maxSize: Math.min(maxSize, maxBytes), contentTypes }),
});

/** Keeps an upload as the caller's file. Returns its row with its URLs. */
export const saveFile = mutation({
  args: { storageId: storageId(), name },
  handler: async (ctx, { storageId, name }) => {
    const owner = await ownerOf(ctx);
    // The client calls again when the answer to its first call was lost.
    const saved = owner === null ? null : await ctx.db.file.findFirst({ where: { storageId, owner } });
    if (saved) return withUrls(ctx, saved);
    const { size, contentType } = await ctx.storage.claim(storageId);
    return withUrls(ctx, await ctx.db.file.create({ data: { storageId, name, size, contentType, owner } }));
  },
});

/** Fetches a file from a public URL, saves it under the last part of its path, and returns its storage id. */
export const downloadAndStore = action.use(requireIdentity)({
  args: { url: z.url({ protocol: /^https?$/ }).max(2000) },
  returns: storageId(),
  handler: async (ctx, { url }) => {
    await ctx.limitRate("fetches");
    const storageId = await ctx.storage.storeFrom(url, { maxSize: maxBytes });
    await orDelete(ctx, [storageId], () => ctx.runMutation(saveDownload, { storageId, originalUrl: url }));
    return storageId;
  },
});

/** Saves what an action has stored. When that fails, the files are deleted. */
export async function orDelete<Saved>(
  ctx: Pick<ActionCtx, "storage">,
  storageIds: Id<"_storage">[],
  save: () => Promise<Saved>,
): Promise<Saved> {
  try {
    return await save();
  } catch (error) {
    // Garbage collection later deletes a file that cannot be deleted now.
    for (const storageId of storageIds) await ctx.storage.delete(storageId).catch(() => undefined);
    throw error;
  }
}

export const saveDownload = internalMutation({
  args: { storageId: storageId(), originalUrl: z.string() },
  handler: async (ctx, { storageId, originalUrl }) => {
    const { size, contentType } = await ctx.storage.claim(storageId);
    const data = {
      storageId,
      name: nameInUrl(originalUrl) || new URL(originalUrl).hostname,
      size,
      contentType,
      owner: await ownerOf(ctx),
      originalUrl,
    };
    await ctx.db.file.create({ data });
  },
});

/** Returns the last part of a URL's path, as text that can be stored. It may be empty. */
export function nameInUrl(url: string): string {
  const last = new URL(url).pathname.split("/").at(-1) ?? "";
  let name = last;
  try {
    name = decodeURIComponent(last);
  } catch {
    // The path has a `%` that does not begin an escape. Use the text as it is.
  }
  // PostgreSQL cannot store a NUL, and names need no control characters.
  return name
    .replace(/\p{Cc}/gu, "")
    .replace(reversing, "")
    .trim()
    .slice(0, 200);
}

const search = z.string().trim().max(255).default("");
const [asc, desc] = ["asc", "desc"] as const;
const orders = {
  newest: [{ id: desc }],
  oldest: [{ id: asc }],
  name: [{ name: asc }, { id: asc }],
  largest: [{ size: desc }, { id: desc }],
};

/** Returns a page of the caller's files whose names contain `search`. */
export const list = userQuery({
  args: { ...pageArgs, search, sort: z.enum(["newest", "oldest", "name", "largest"]).default("newest") },
  handler: async (ctx, { limit, cursor, search, sort }) => {
    // One row more than the page has shows whether there is a next page.
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

/** Counts the files of all pages of `list`. */
export const count = userQuery({
  args: { search },
  returns: z.number(),
  handler: (ctx, { search }) => ctx.db.file.count({ where: named(search, ctx.identity.tokenIdentifier) }),
});

/** Returns one of the caller's files, or `null`. */
export const get = userQuery({
  args: { fileId: id("file") },
  handler: async (ctx, { fileId }) => {
    const file = await ctx.db.file.findFirst({ where: { id: fileId, owner: ctx.identity.tokenIdentifier } });
    return file && withUrls(ctx, file);
  },
});

/** Replaces the bytes of one of the caller's files by an upload. The file keeps its name, and the old bytes are deleted. */
export const replace = userMutation({
  args: { fileId: id("file"), storageId: storageId() },
  handler: async (ctx, { fileId, storageId }) => {
    const file = await ctx.db.file.findFirst({ where: { id: fileId, owner: ctx.identity.tokenIdentifier } });
    if (!file) throw notFound(fileId);
    // The client calls again when the answer to its first call was lost.
    if (file.storageId === storageId) return;
    const { size, contentType } = await ctx.storage.claim(storageId);
    await ctx.db.file.update({ where: { id: fileId }, data: { storageId, size, contentType } });
    await ctx.storage.delete(file.storageId);
  },
});

/** Returns a URL of one of the caller's files, or `null`. `expiresIn` is in milliseconds. */
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
  returns: z.string().nullable(),
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

/** Deletes a row and its file together. */
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

/** Matches files by owner and part of the name. `contains` treats `%` and `_` as wildcards, so they are escaped. */
const named = (search: string, owner: string) => ({
  owner,
  ...(search && { name: { contains: search.replace(/[\\%_]/g, "\\$&"), mode: "insensitive" as const } }),
});

const withUrls = async <File extends { storageId: Id<"_storage">; name: string }>(
  ctx: QueryCtx | MutationCtx,
  file: File,
) => ({
  ...file,
  url: await ctx.storage.getUrl(file.storageId),
  downloadUrl: await ctx.storage.getUrl(file.storageId, { downloadAs: file.name }),
  iconUrl: await ctx.storage.getUrl(file.storageId, { width: 80, height: 80 }),
});

/** A file that was uploaded without an identity belongs to every caller without an identity who knows its id. */
async function isOwn(ctx: QueryCtx, id: Id<"_storage">): Promise<boolean> {
  const file = await ctx.db.storage.findUnique({ where: { id }, select: { owner: true } });
  return file !== null && file.owner === (await ownerOf(ctx));
}

const notFound = (id: string) =>
  new TRPCError({ code: "NOT_FOUND", message: `File ${id} does not exist or belongs to someone else.` });
